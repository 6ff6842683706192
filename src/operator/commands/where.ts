/** How commands find the endpoint without --endpoint. */
export const where = {
  endpointOf: async (config: string) => (await import('../../config/written.ts')).findWrittenEndpoint(config),
  runningOn: async (config: string) =>
    (await (await import('../presence/find.ts')).findPresence(config, process.env))?.endpoint,
};
