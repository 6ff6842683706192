/** Runs one check; `proof` returns its result in words. */
export type Step = (title: string, proof: () => Promise<string>) => Promise<void>;
