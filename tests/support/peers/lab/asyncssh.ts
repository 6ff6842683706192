import { requireProgram } from '../../machine/find-program.ts';
import { type LabServer, labFiles, startLabServer } from './server.ts';

const SCRIPT = `
import asyncio, asyncssh, sys
port, host_key, authorized_keys, rekey_bytes = sys.argv[1:]
class Server(asyncssh.SSHServer):
    def connection_requested(self, *where): return True
    def server_requested(self, *where): return True
async def main():
    await asyncssh.create_server(Server, '127.0.0.1', int(port), reuse_address=True, server_host_keys=[host_key],
        authorized_client_keys=authorized_keys, rekey_bytes=int(rekey_bytes))
    print('listening', flush=True)
    await asyncio.get_event_loop().create_future()
asyncio.run(main())
`;

/** A server on asyncssh (Python), with new keys after so many bytes. */
export function startAsyncssh({ rekeyBytes }: { readonly rekeyBytes: number }): Promise<LabServer> {
  const files = labFiles('asyncssh');
  const args = [files.hostKey.path, files.authorizedKeysFile, `${rekeyBytes}`];
  return startLabServer(files, (port) => pythonServer(SCRIPT, port, args), /^listening$/m);
}

/** The command of a server in Python that prints `listening`. */
export function pythonServer(script: string, port: number, args: readonly string[]): [string, ...string[]] {
  return [requireProgram('python3'), '-I', '-u', '-c', script, `${port}`, ...args];
}
