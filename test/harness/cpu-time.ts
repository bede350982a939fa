/**
 * Milliseconds of CPU that this process has used, all its threads together: unlike a clock, it does not run
 * while other work has the machine.
 */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
