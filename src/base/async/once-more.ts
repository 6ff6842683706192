/** Runs the task. Calls during a run lead to one more run after it, however many they are. The task must not reject. */
export function onceMore(task: () => Promise<unknown>): () => void {
  let asked = false;
  let running = false;
  const run = async () => {
    running = true;
    while (asked) {
      asked = false;
      await task();
    }
    running = false;
  };
  return () => {
    asked = true;
    if (!running) void run();
  };
}
