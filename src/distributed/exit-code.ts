/**
 * How a rank ends that misses another, and a job whose ranks were lost: the number that sysexits.h has for what may well succeed if it
 * is tried again. native/mpi/watchdog.h has it, too.
 */
export const ranksLostExitCode = 75;
