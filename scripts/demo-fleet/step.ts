/** One thing to be proven; the proof says what it has shown. */
export type Step = (title: string, proof: () => Promise<string>) => Promise<void>;
