/* What a library costs while nothing happens: memory for sockets, or for the peers of one socket, and CPU at rest.
 * suite_perf.py runs it.
 *
 *     footprint sockets|peers|served COUNT
 *
 * `peers` are DEALERs of this process that have said a word to its ROUTER over tcp: both ends of each are counted. `served`
 * are DEALERs by hand, in another process: the ROUTER's end is counted, and there may be as many as this process may have
 * descriptors.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

static long resident (void)
{
    long pages = 0, all = 0;
    FILE *file = fopen ("/proc/self/statm", "r");
    if (!file || fscanf (file, "%ld %ld", &all, &pages) != 2)
        exit (3);
    fclose (file);
    return pages * (sysconf (_SC_PAGESIZE) / 1024);
}

static double cpu (void)
{
    struct rusage u;
    getrusage (RUSAGE_SELF, &u);
    return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* What a DEALER says: greeting and READY; and when it has heard as much, a message of one byte. */
static const char HELLO[] = "\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                            "\4\x1c\5READY\x0bSocket-Type\0\0\0\6DEALER";
static const char WORD[] = "\0\1x";
enum { GREETING = 64 };

/* Reads a greeting and a READY. Returns whether it could. */
static int hear (int fd)
{
    unsigned char bytes[256];
    if (recv (fd, bytes, GREETING + 2, MSG_WAITALL) != GREETING + 2)
        return 0;
    return recv (fd, bytes, bytes[GREETING + 1], MSG_WAITALL) > 0;
}

/* Starts a process that connects so often, and stays until the descriptor that is returned is closed. */
static int dial (int port, int count)
{
    int ends[2];
    if (pipe (ends))
        exit (3);
    if (fork () == 0) {
        close (ends[1]);
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons ((unsigned short) port)};
        to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
        for (int i = 0; i < count; i++) {
            int fd = socket (AF_INET, SOCK_STREAM, 0);
            if (fd < 0 || connect (fd, (struct sockaddr *) &to, sizeof to) || write (fd, HELLO, sizeof HELLO - 1) < 0
                || !hear (fd) || write (fd, WORD, sizeof WORD - 1) < 0) {
                perror ("dial");
                _exit (3);
            }
        }
        char end;
        _exit (read (ends[0], &end, 1) != 0);
    }
    close (ends[0]);
    return ends[1];
}

int main (int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int count = atoi (argv[2]), peers = strcmp (argv[1], "peers") == 0, served = strcmp (argv[1], "served") == 0;
    int most = 4096, dialled = -1;
    void *context = zmq_ctx_new ();
    zmq_ctx_set (context, ZMQ_MAX_SOCKETS, count + 8);
    void **sockets = calloc ((size_t) count + 1, sizeof *sockets);
    char end[128];
    size_t length = sizeof end;
    void *router = zmq_socket (context, ZMQ_ROUTER);
    zmq_setsockopt (router, ZMQ_BACKLOG, &most, sizeof most);
    if (zmq_bind (router, "tcp://127.0.0.1:*") || zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, end, &length))
        return 3;
    long before = resident ();
    if (served)
        dialled = dial (atoi (strrchr (end, ':') + 1), count);
    for (int i = 0; i < count && !served; i++) {
        sockets[i] = zmq_socket (context, ZMQ_DEALER);
        if (!sockets[i]) {
            fprintf (stderr, "socket %d: %s\n", i, zmq_strerror (zmq_errno ()));
            return 3;
        }
        int zero = 0;
        zmq_setsockopt (sockets[i], ZMQ_LINGER, &zero, sizeof zero);
        if (peers && (zmq_connect (sockets[i], end) || zmq_send (sockets[i], "x", 1, 0) != 1))
            return 3;
    }
    for (int i = 0; (peers || served) && i < count; i++) {
        char bytes[16];
        if (zmq_recv (router, bytes, sizeof bytes, 0) < 0 || zmq_recv (router, bytes, sizeof bytes, 0) < 0)
            return 3;
    }
    sleep (1);
    double at = cpu ();
    sleep (3);
    printf ("resident: %.1f [KiB each]\nidle: %.2f [ms CPU a second]\n", (double) (resident () - before) / count,
            (cpu () - at) / 3 * 1000);
    for (int i = 0; i < count && !served; i++)
        zmq_close (sockets[i]);
    if (served) {
        close (dialled);
        wait (NULL);
    }
    zmq_close (router);
    return zmq_ctx_term (context) != 0;
}
