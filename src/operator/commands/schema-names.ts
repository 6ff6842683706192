/** The schemas that `fleet-mesh schema` prints. */
export const SCHEMA_NAMES = ['config', 'plan', 'status'] as const;
