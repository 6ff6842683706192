import { printable } from '../../../base/text/printable.ts';
import { WireReader } from '../wire.ts';
import type { Certificate } from './certificate.ts';

/** From where a server takes the certificate, as the CA wrote it (PROTOCOL.certkeys); undefined: from anywhere. */
export function sourceAddresses({ criticalOptions }: Pick<Certificate, 'criticalOptions'>): string | undefined {
  const data = criticalOptions.get('source-address');
  return data && printable(new WireReader(data).text(), 200);
}

/**
 * What the CA has restricted the certificate to, for people. A forced command is no hindrance to tunnels, but to a shell
 * with the same certificate; what it is stays untold, since nobody says that it holds no secret.
 */
export function restrictions(certificate: Pick<Certificate, 'criticalOptions'>): string[] {
  const sources = sourceAddresses(certificate);
  return [
    ...(certificate.criticalOptions.has('force-command') ? ['force-command'] : []),
    ...(sources === undefined ? [] : [`source-address=${sources}`]),
  ];
}
