const begins =
  (...starts: readonly string[]) =>
  (greeting: string) =>
    starts.some((start) => greeting.startsWith(start));

/** How other services begin to speak when a client of SSH connects, with their names for people. */
const SERVICES: readonly (readonly [speaks: (greeting: string) => boolean, name: string])[] = [
  // The records "alert" and "handshake", and the first byte of the version.
  [begins('\x15\x03', '\x16\x03'), 'a TLS server (HTTPS, for example)'],
  [(greeting) => /^(?:HTTP\/\d|\s*<(?:!doctype|html))/i.test(greeting), 'an HTTP server'],
  [begins('220 ', '220-'), 'a mail or FTP server'],
  [begins('+OK', '* OK'), 'a mail server'],
  // The first packet has the number 0, and then the version of the protocol or an error.
  [(greeting) => greeting[3] === '\0' && ['\x0a', '\xff'].includes(greeting[4] ?? ''), 'a MySQL server'],
  [begins('E\0\0'), 'a PostgreSQL server'],
  [begins('-ERR', '-DENIED'), 'a Redis server'],
  [begins('RFB '), 'a VNC server'],
];

/** The service whose first bytes these are, in latin1; undefined: unknown. */
export function otherService(greeting: string): string | undefined {
  return SERVICES.find(([speaks]) => speaks(greeting))?.[1];
}

/** The identification line of a server that speaks SSH 1 alone; `1.99` means both (RFC 4253 section 5.1). */
export function onlySsh1(greeting: string): string | undefined {
  return /^SSH-1\.(?!99)[^\r\n]*/m.exec(greeting)?.[0];
}
