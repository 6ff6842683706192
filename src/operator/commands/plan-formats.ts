/** The values of `plan --format`. */
export const PLAN_FORMATS: readonly string[] = ['text', 'json', 'inventory'];
/** The values of `plan --as`, for the inventory. */
export const INVENTORY_FORMATS: readonly string[] = ['yaml', 'json', 'markdown'];
