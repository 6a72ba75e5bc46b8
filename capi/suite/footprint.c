/* What a library costs while nothing happens: memory for sockets, or for the peers of one socket, and CPU at rest.
 * suite_perf.py runs it.
 *
 *     footprint sockets|peers COUNT
 *
 * `peers` are DEALERs of this process that have said a word to its ROUTER over tcp: both ends of each are counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

int main (int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int count = atoi (argv[2]), peers = strcmp (argv[1], "peers") == 0;
    void *context = zmq_ctx_new ();
    zmq_ctx_set (context, ZMQ_MAX_SOCKETS, count + 8);
    void **sockets = calloc ((size_t) count + 1, sizeof *sockets);
    char end[128];
    size_t length = sizeof end;
    void *router = zmq_socket (context, ZMQ_ROUTER);
    if (zmq_bind (router, "tcp://127.0.0.1:*") || zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, end, &length))
        return 3;
    long before = resident ();
    for (int i = 0; i < count; i++) {
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
    for (int i = 0; peers && i < count; i++) {
        char bytes[16];
        if (zmq_recv (router, bytes, sizeof bytes, 0) < 0 || zmq_recv (router, bytes, sizeof bytes, 0) < 0)
            return 3;
    }
    sleep (1);
    double at = cpu ();
    sleep (3);
    printf ("resident: %.1f [KiB each]\nidle: %.2f [ms CPU a second]\n", (double) (resident () - before) / count,
            (cpu () - at) / 3 * 1000);
    for (int i = 0; i < count; i++)
        zmq_close (sockets[i]);
    zmq_close (router);
    return zmq_ctx_term (context) != 0;
}
