import type { ChannelSource } from './channel-source.ts';
import { dialTarget } from './dial-target.ts';

/** The way to what is reached from this node itself, without SSH: always there, and lost with its connection only. */
export const directSource: ChannelSource = {
  ready: true,
  whenReady: async () => {},
  open: async (target, _originator, signal) => {
    const stream = await dialTarget(target, signal);
    return { stream, onLost: () => {}, close: () => void stream.destroy() };
  },
};
