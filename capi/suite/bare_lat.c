/* The round trips of libzmq's local_lat and remote_lat by system calls alone: each side blocks in recv, then sends. No
 * library that makes these calls can be faster, and whoever waits for more than one connection makes more of them.
 * suite_perf.py runs it beside the libraries, compiled once with and once without LOCAL.
 *
 *     local_bare_lat|remote_bare_lat tcp://ADDRESS:PORT BYTES ROUNDTRIPS
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail (const char *what)
{
    perror (what);
    exit (1);
}

static void take (int fd, char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t some = recv (fd, bytes, size, 0);
        if (some <= 0)
            fail ("recv");
        bytes += some;
        size -= (size_t) some;
    }
}

static void give (int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t some = send (fd, bytes, size, MSG_NOSIGNAL);
        if (some < 0)
            fail ("send");
        bytes += some;
        size -= (size_t) some;
    }
}

int main (int argc, char **argv)
{
    char address[64];
    int port, on = 1, fd = socket (AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = {.sin_family = AF_INET};
    if (argc != 4 || sscanf (argv[1], "tcp://%63[0-9.]:%d", address, &port) != 2)
        return 2;
    size_t size = strtoul (argv[2], NULL, 10);
    long count = strtol (argv[3], NULL, 10);
    char *bytes = calloc (1, size);
    where.sin_port = htons ((unsigned short) port);
    where.sin_addr.s_addr = inet_addr (address);
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef LOCAL
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind (fd, (struct sockaddr *) &where, sizeof where) || listen (fd, 1))
        fail ("bind");
    fd = accept (fd, NULL, NULL);
    if (fd < 0)
        fail ("accept");
    for (long i = 0; i < count; i++) {
        take (fd, bytes, size);
        give (fd, bytes, size);
    }
#else
    while (connect (fd, (struct sockaddr *) &where, sizeof where))
        usleep (1000); /* The other side may not listen yet. */
    struct timespec begin, end;
    clock_gettime (CLOCK_MONOTONIC, &begin);
    for (long i = 0; i < count; i++) {
        give (fd, bytes, size);
        take (fd, bytes, size);
    }
    clock_gettime (CLOCK_MONOTONIC, &end);
    double us = (end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3;
    printf ("average latency: %.3f [us]\n", us / (2.0 * count));
#endif
    return 0;
}
