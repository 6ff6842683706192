/** Numbers of SSH messages (RFC 4250 section 4.1.2, RFC 5656 section 7.1). */
export const MESSAGE = {
  disconnect: 1,
  ignore: 2,
  unimplemented: 3,
  debug: 4,
  serviceRequest: 5,
  serviceAccept: 6,
  kexInit: 20,
  exchangeInit: 30,
  exchangeReply: 31,
  firstLogin: 50,
  lastLogin: 79,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  openConfirmation: 91,
  openFailure: 92,
  windowAdjust: 93,
  data: 94,
  endOfFile: 96,
  close: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const;

/** Messages that do nothing (RFC 4253 section 11). */
export function isIdle(type: number): boolean {
  return type === MESSAGE.ignore || type === MESSAGE.unimplemented || type === MESSAGE.debug;
}
