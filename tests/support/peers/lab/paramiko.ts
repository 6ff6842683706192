import { pythonServer } from './asyncssh.ts';
import { type LabServer, labFiles, startLabServer } from './server.ts';

const SCRIPT = `
import base64, paramiko, socket, sys, threading
port, host_key, authorized_keys, rekey_bytes = sys.argv[1:]
accepted = [paramiko.Ed25519Key(data=base64.b64decode(line.split()[1])) for line in open(authorized_keys)]
class Server(paramiko.ServerInterface):
    def __init__(self, transport): self.transport, self.targets, self.listeners = transport, {}, {}
    def get_allowed_auths(self, username): return 'publickey'
    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key in accepted else paramiko.AUTH_FAILED
    def check_channel_direct_tcpip_request(self, number, origin, destination):
        try: self.targets[number] = socket.create_connection(destination)
        except OSError: return paramiko.OPEN_FAILED_CONNECT_FAILED
        return paramiko.OPEN_SUCCEEDED
    def check_port_forward_request(self, address, port):
        try: listener = socket.create_server((address, port))
        except OSError: return False
        self.listeners[address, port] = listener
        threading.Thread(daemon=True, target=self.accept, args=(listener, address, port)).start()
        return port
    def cancel_port_forward_request(self, address, port):
        listener = self.listeners.pop((address, port), None)
        # A thread in accept() keeps a closed socket open.
        if listener: listener.shutdown(socket.SHUT_RDWR); listener.close()
    def accept(self, listener, address, port):
        while True:
            try: client, origin = listener.accept()
            except OSError: return
            threading.Thread(daemon=True, target=self.forward, args=(client, origin, address, port)).start()
    def forward(self, client, origin, address, port):
        try: channel = self.transport.open_forwarded_tcpip_channel(origin, (address, port))
        except Exception: client.close(); return
        join(channel, client, self.transport)
    def close(self):
        for where in list(self.listeners): self.cancel_port_forward_request(*where)
def join(channel, peer, transport):
    there = threading.Thread(daemon=True, target=copy, args=(channel.recv, peer.sendall, lambda: peer.shutdown(1), transport.close))
    there.start()
    copy(peer.recv, channel.sendall, channel.shutdown_write, transport.close)
    there.join()
    channel.close()
    peer.close()
def copy(read, write, end, fail):
    while True:
        # As sshd does: the reset of a target is passed on as an end.
        try: data = read(65536)
        except OSError: data = b''
        if not data: break
        try: write(data)
        except Exception:
            # No clean end after a failure: half of the data must not look like all of it.
            fail()
            return
    try: end()
    except Exception: pass
class Transport(paramiko.Transport):
    def _send_user_message(self, data):
        # During an exchange of keys, the thread that reads would wait here for keys that only this thread can receive.
        if threading.current_thread() is not self: return super()._send_user_message(data)
        threading.Thread(daemon=True, target=super()._send_user_message, args=(data,)).start()
def serve(client):
    transport = Transport(client)
    transport.packetizer.REKEY_BYTES = int(rekey_bytes)
    # A busy machine takes longer than the usual 30 s for new keys.
    transport.clear_to_send_timeout = 300.0
    transport.add_server_key(paramiko.Ed25519Key(filename=host_key))
    server = Server(transport)
    try: transport.start_server(server=server)
    except Exception: return
    while transport.is_active():
        channel = transport.accept(1)
        if channel is None: continue
        target = server.targets.pop(channel.get_id())
        threading.Thread(daemon=True, target=join, args=(channel, target, transport)).start()
    server.close()
listener = socket.create_server(('127.0.0.1', int(port)))
print('listening', flush=True)
while True:
    client, _ = listener.accept()
    threading.Thread(daemon=True, target=serve, args=(client,)).start()
`;

/** A server on paramiko (Python), with new keys after so many bytes. */
export function startParamiko({ rekeyBytes }: { readonly rekeyBytes: number }): Promise<LabServer> {
  const files = labFiles('paramiko');
  const args = [files.hostKey.path, files.authorizedKeysFile, `${rekeyBytes}`];
  return startLabServer(files, (port) => pythonServer(SCRIPT, port, args), /^listening$/m);
}
