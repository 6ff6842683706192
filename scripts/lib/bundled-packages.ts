/** The libraries inside the status page: no program loads them at run time. */
export const BUNDLED_PACKAGES = ['preact', 'uplot'] as const;
