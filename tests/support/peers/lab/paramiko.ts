import { requireProgram } from '../../machine/find-program.ts';
import { printedPort } from './asyncssh.ts';
import { type LabServer, labFiles, startLabServer } from './server.ts';

const SCRIPT = `
import base64, paramiko, socket, sys, threading
host_key, authorized_keys, rekey_bytes = sys.argv[1:]
accepted = [paramiko.Ed25519Key(data=base64.b64decode(line.split()[1])) for line in open(authorized_keys)]
class Server(paramiko.ServerInterface):
    def __init__(self): self.targets = {}
    def get_allowed_auths(self, username): return 'publickey'
    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key in accepted else paramiko.AUTH_FAILED
    def check_channel_direct_tcpip_request(self, number, origin, destination):
        try: self.targets[number] = socket.create_connection(destination)
        except OSError: return paramiko.OPEN_FAILED_CONNECT_FAILED
        return paramiko.OPEN_SUCCEEDED
def copy(read, write, end, fail):
    try:
        while True:
            data = read(65536)
            if not data: break
            write(data)
    except Exception:
        # No clean end after a failure: half of the data must not look like all of it.
        fail()
        return
    try: end()
    except Exception: pass
def serve(client):
    transport = paramiko.Transport(client)
    transport.packetizer.REKEY_BYTES = int(rekey_bytes)
    # A busy machine takes longer than the usual 30 s for new keys.
    transport.clear_to_send_timeout = 300.0
    transport.add_server_key(paramiko.Ed25519Key(filename=host_key))
    server = Server()
    try: transport.start_server(server=server)
    except Exception: return
    while transport.is_active():
        channel = transport.accept(1)
        if channel is None: continue
        target = server.targets.pop(channel.get_id())
        def both(channel=channel, target=target):
            there = threading.Thread(daemon=True, target=copy, args=(channel.recv, target.sendall, lambda: target.shutdown(1), transport.close))
            there.start()
            copy(target.recv, channel.sendall, channel.shutdown_write, transport.close)
            there.join()
            channel.close()
            target.close()
        threading.Thread(daemon=True, target=both).start()
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    threading.Thread(daemon=True, target=serve, args=(client,)).start()
`;

/** A server on paramiko (Python), with new keys after so many bytes. */
export function startParamiko({ rekeyBytes }: { readonly rekeyBytes: number }): Promise<LabServer> {
  const files = labFiles('paramiko');
  const args = [files.hostKey.path, files.authorizedKeysFile, `${rekeyBytes}`];
  return startLabServer(files, [requireProgram('python3'), '-I', '-u', '-c', SCRIPT, ...args], printedPort);
}
