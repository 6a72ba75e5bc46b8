/* A program that does what applications must not be punished for: threads open and close sockets of all kinds, connect
 * and bind, send and receive, poll, hand sockets over, and contexts are shut down and terminated in the middle of it.
 * Built by suite_stress.py against either library, with or without a sanitizer. Prints what it did; 0: no rule broken.
 *
 *     stress SECONDS SEED
 *
 * Rules that are checked: a call ends with success or with an errno that it may have; every free function is called
 * exactly once by the end of its context; a terminated context lets all threads go; messages arrive whole.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { THREADS = 8, PLACES = 6, GROUPS = 2 };

typedef struct {
    void *context;
    atomic_int stop;
    atomic_long given, freed; /* messages with a free function: made, and freed */
    unsigned round;
    char folder[64];
} World;

typedef struct {
    World *world;
    unsigned seed;
    long calls, sent, received, ended;
} Worker;

static atomic_long broken;

static unsigned draw (unsigned *state, unsigned below)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

/* Says that a rule is broken, and goes on: the end counts them. */
static void complain (const char *what, int number)
{
    if (atomic_fetch_add (&broken, 1) < 20)
        fprintf (stderr, "BROKEN %s: errno %d (%s)\n", what, number, zmq_strerror (number));
}

static void allowed (const char *what, int result, const int *may)
{
    if (result != -1)
        return;
    int number = zmq_errno ();
    for (; *may; may++)
        if (number == *may)
            return;
    complain (what, number);
}

static const int MAY_MOVE[] = {EAGAIN, ETERM, EFSM, ENOTSUP, EINTR, EHOSTUNREACH, EINVAL, 0};
static const int MAY_BIND[] = {ETERM, EADDRINUSE, EINTR, ENOCOMPATPROTO, EINVAL, EMFILE, 0};
static const int MAY_CONNECT[] = {ETERM, EINTR, ENOCOMPATPROTO, EINVAL, ECONNREFUSED, EMFILE, 0};
static const int MAY_POLL[] = {ETERM, EINTR, 0};
static const int MAY_UNDO[] = {ETERM, ENOENT, EINTR, EINVAL, 0};

static void given_back (void *data, void *hint)
{
    World *world = hint;
    /* The content is ours until this call: a library that frees early finds it changed here. */
    if (((unsigned char *) data)[0] != 0x5a)
        complain ("content of a freed message", 0);
    memset (data, 0, 1);
    free (data);
    atomic_fetch_add (&world->freed, 1);
}

static int place (const World *world, unsigned n, char *text, size_t size)
{
    if (n % 3 == 0)
        return snprintf (text, size, "inproc://place-%u", n);
    if (n % 3 == 1)
        return snprintf (text, size, "ipc://%s/%u", world->folder, n);
    return snprintf (text, size, "tcp://127.0.0.1:*");
}

/* Pairs of types that talk, so that there is traffic: the second of a pair has the odd index. */
static const int TYPES[] = {ZMQ_PUSH, ZMQ_PULL, ZMQ_PUB,  ZMQ_SUB,    ZMQ_DEALER, ZMQ_ROUTER, ZMQ_PAIR,
                            ZMQ_PAIR, ZMQ_REQ,  ZMQ_REP, ZMQ_XPUB, ZMQ_XSUB,   ZMQ_DEALER, ZMQ_DEALER};

static size_t size_of (unsigned *seed)
{
    switch (draw (seed, 8)) {
    case 0: return 1 + draw (seed, 100000);
    case 1: return 1 + draw (seed, 9000);
    default: return 1 + draw (seed, 64);
    }
}

static void send_one (Worker *me, void *socket)
{
    World *world = me->world;
    size_t size = size_of (&me->seed);
    int flags = ZMQ_DONTWAIT | (draw (&me->seed, 4) == 0 ? ZMQ_SNDMORE : 0);
    zmq_msg_t message;
    me->calls++;
    if (draw (&me->seed, 2)) {
        unsigned char *data = malloc (size);
        memset (data, 0x5a, size);
        atomic_fetch_add (&world->given, 1);
        zmq_msg_init_data (&message, data, size, given_back, world);
    } else {
        zmq_msg_init_size (&message, size);
        memset (zmq_msg_data (&message), 0x5a, size);
    }
    if (draw (&me->seed, 4) == 0) {
        zmq_msg_t copy;
        zmq_msg_init (&copy);
        zmq_msg_copy (&copy, &message);
        zmq_msg_close (&copy);
    }
    int result = zmq_msg_send (&message, socket, flags);
    allowed ("zmq_msg_send", result, MAY_MOVE);
    if (result == -1)
        zmq_msg_close (&message);
    else
        me->sent++;
}

static void receive_one (Worker *me, void *socket)
{
    zmq_msg_t message;
    me->calls++;
    zmq_msg_init (&message);
    int result = zmq_msg_recv (&message, socket, draw (&me->seed, 8) ? ZMQ_DONTWAIT : 0);
    allowed ("zmq_msg_recv", result, MAY_MOVE);
    if (result >= 0) {
        me->received++;
        if ((size_t) result != zmq_msg_size (&message))
            complain ("size of a received message", 0);
        (void) zmq_msg_gets (&message, "Socket-Type");
        (void) zmq_msg_more (&message);
    }
    zmq_msg_close (&message);
}

static void *open_one (Worker *me, char *bound, size_t room)
{
    World *world = me->world;
    unsigned n = draw (&me->seed, PLACES);
    int bind = (int) draw (&me->seed, 2);
    unsigned kind = (n * 2 + (unsigned) bind) % (sizeof TYPES / sizeof *TYPES);
    char text[128];
    int zero = 0, wait = 5, high = 1 + (int) draw (&me->seed, 50);
    void *socket = zmq_socket (world->context, TYPES[kind]);
    bound[0] = 0;
    if (!socket) {
        int number = zmq_errno ();
        if (number != ETERM && number != EMFILE)
            complain ("zmq_socket", number);
        return NULL;
    }
    me->calls++;
    zmq_setsockopt (socket, ZMQ_LINGER, draw (&me->seed, 2) ? &zero : &wait, sizeof zero);
    zmq_setsockopt (socket, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_setsockopt (socket, ZMQ_SNDTIMEO, &wait, sizeof wait);
    zmq_setsockopt (socket, ZMQ_SNDHWM, &high, sizeof high);
    zmq_setsockopt (socket, ZMQ_RCVHWM, &high, sizeof high);
    if (TYPES[kind] == ZMQ_SUB)
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, "", 0);
    place (world, n, text, sizeof text);
    if (bind || n % 3 == 2) {
        int result = zmq_bind (socket, text);
        allowed ("zmq_bind", result, MAY_BIND);
        if (result == 0) {
            size_t length = room;
            if (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, bound, &length) == -1)
                bound[0] = 0;
            else if (n % 3 == 2 && draw (&me->seed, 2)) /* tcp: to itself, for whoever takes it */
                allowed ("zmq_connect", zmq_connect (socket, bound), MAY_CONNECT);
        }
    } else
        allowed ("zmq_connect", zmq_connect (socket, text), MAY_CONNECT);
    return socket;
}

static void *work (void *argument)
{
    Worker *me = argument;
    char bound[3][256];
    void *sockets[3] = {NULL, NULL, NULL};
    while (!atomic_load (&me->world->stop)) {
        unsigned n = draw (&me->seed, 3);
        if (!sockets[n]) {
            sockets[n] = open_one (me, bound[n], sizeof bound[n]);
            if (!sockets[n] && zmq_errno () == ETERM)
                break;
            continue;
        }
        switch (draw (&me->seed, 24)) {
        case 0: {
            int result = zmq_close (sockets[n]);
            if (result == -1)
                complain ("zmq_close", zmq_errno ());
            sockets[n] = NULL;
            me->ended++;
            break;
        }
        case 1:
            if (bound[n][0])
                allowed ("zmq_unbind", zmq_unbind (sockets[n], bound[n]), MAY_UNDO);
            bound[n][0] = 0;
            break;
        case 2: {
            zmq_pollitem_t items[3];
            int count = 0;
            for (int i = 0; i < 3; i++)
                if (sockets[i])
                    items[count++] = (zmq_pollitem_t) {sockets[i], 0, ZMQ_POLLIN | ZMQ_POLLOUT, 0};
            allowed ("zmq_poll", zmq_poll (items, count, (long) draw (&me->seed, 3)), MAY_POLL);
            break;
        }
        case 3: {
            int events;
            size_t size = sizeof events;
            allowed ("ZMQ_EVENTS", zmq_getsockopt (sockets[n], ZMQ_EVENTS, &events, &size), MAY_POLL);
            break;
        }
        case 4: case 5: case 6: case 7: case 8: case 9: case 10: case 11: case 12: case 13:
            send_one (me, sockets[n]);
            break;
        default:
            receive_one (me, sockets[n]);
        }
    }
    for (int i = 0; i < 3; i++)
        if (sockets[i] && zmq_close (sockets[i]) == -1)
            complain ("zmq_close at the end", zmq_errno ());
    return NULL;
}

static double now (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* One context from its first socket to its end: some are terminated under the threads, others after them. */
static void live (const char *folder, unsigned round, unsigned *seed, Worker *sum)
{
    World world;
    Worker workers[THREADS];
    pthread_t threads[THREADS];
    int rude = (int) draw (seed, 3); /* 0: threads stop first; 1: shutdown under them; 2: term under them */
    memset (&world, 0, sizeof world);
    world.context = zmq_ctx_new ();
    world.round = round;
    snprintf (world.folder, sizeof world.folder, "%s", folder);
    zmq_ctx_set (world.context, ZMQ_IO_THREADS, 1 + (int) draw (seed, 3));
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (Worker) {.world = &world, .seed = (round * THREADS + (unsigned) i) * 2654435761u + 1};
        pthread_create (&threads[i], NULL, work, &workers[i]);
    }
    usleep (1000 * (20 + draw (seed, 200)));
    if (rude == 0)
        atomic_store (&world.stop, 1);
    else if (rude == 1 && zmq_ctx_shutdown (world.context) == -1)
        complain ("zmq_ctx_shutdown", zmq_errno ());
    if (rude == 2) {
        /* Ends only when all sockets are closed: the threads close theirs when they meet ETERM. */
        atomic_store (&world.stop, 0);
        while (zmq_ctx_term (world.context) == -1)
            if (zmq_errno () != EINTR) {
                complain ("zmq_ctx_term under threads", zmq_errno ());
                break;
            }
    }
    atomic_store (&world.stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    if (rude != 2 && zmq_ctx_term (world.context) == -1)
        complain ("zmq_ctx_term", zmq_errno ());
    if (atomic_load (&world.given) != atomic_load (&world.freed)) {
        fprintf (stderr, "BROKEN %ld messages given, %ld freed\n", atomic_load (&world.given),
                 atomic_load (&world.freed));
        atomic_fetch_add (&broken, 1);
    }
    for (int i = 0; i < THREADS; i++) {
        sum->calls += workers[i].calls;
        sum->sent += workers[i].sent;
        sum->received += workers[i].received;
        sum->ended += workers[i].ended;
    }
}

typedef struct {
    double until;
    unsigned seed;
    int index;
    unsigned rounds;
    Worker sum;
} Group;

static void *group (void *argument)
{
    Group *g = argument;
    char folder[] = "/tmp/stressXXXXXX";
    if (!mkdtemp (folder))
        return NULL;
    while (now () < g->until)
        live (folder, g->seed * 1000003u + (unsigned) g->index * 500009u + g->rounds++, &g->seed, &g->sum);
    for (unsigned n = 0; n < PLACES; n++) {
        char path[64];
        snprintf (path, sizeof path, "%s/%u", folder, n);
        unlink (path);
    }
    rmdir (folder);
    return NULL;
}

int main (int argc, char **argv)
{
    double seconds = argc > 1 ? atof (argv[1]) : 10;
    unsigned seed = argc > 2 ? (unsigned) atoi (argv[2]) : 1;
    Group groups[GROUPS];
    pthread_t threads[GROUPS];
    long calls = 0, sent = 0, received = 0, ended = 0, rounds = 0;
    memset (groups, 0, sizeof groups);
    for (int i = 0; i < GROUPS; i++) {
        groups[i] = (Group) {.until = now () + seconds, .seed = seed * 7919u + (unsigned) i + 1, .index = i};
        pthread_create (&threads[i], NULL, group, &groups[i]);
    }
    for (int i = 0; i < GROUPS; i++) {
        pthread_join (threads[i], NULL);
        rounds += groups[i].rounds;
        calls += groups[i].sum.calls;
        sent += groups[i].sum.sent;
        received += groups[i].sum.received;
        ended += groups[i].sum.ended;
    }
    printf ("%ld contexts, %ld sends and receives, %ld parts sent, %ld received, %ld sockets closed early, %ld broken\n",
            rounds, calls, sent, received, ended, atomic_load (&broken));
    return atomic_load (&broken) != 0;
}
