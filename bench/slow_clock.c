/* A monotonic clock that goes 64 times slower, about as much as callgrind slows a program down: preloaded by
 * scripts/instructions, so that what a program does by the clock it does as often, for each message, as at full speed. */

#define _GNU_SOURCE
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLOWER = 64, SECOND = 1000000000 };

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_MONOTONIC) {
        int64_t slow = ((int64_t)time->tv_sec * SECOND + time->tv_nsec) / SLOWER;
        time->tv_sec = slow / SECOND;
        time->tv_nsec = slow % SECOND;
    }
    return result;
}
