import { findWrittenEndpoint } from '../../config/written.ts';
import { findPresence } from '../presence/find.ts';

/** How commands find the endpoint without --endpoint. */
export const where = {
  endpointOf: findWrittenEndpoint,
  runningOn: async (config: string): Promise<string | undefined> => (await findPresence(config, process.env))?.endpoint,
};
