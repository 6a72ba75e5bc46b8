/* A libzmq with libsodium, for what CURVE costs: the roles push and pull of bench-peer with --curve.
 *
 *     libsodium push --connect ENDPOINT --size BYTES --count N --warmup N       sends, and stays until stdin ends
 *     libsodium pull --bind ENDPOINT --size BYTES --count N --warmup N          prints READY, then a JSON line
 *
 * Built and run by scripts/curve. The clock starts with the last message of the warm-up. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static void check(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* Keys that both processes know, or for the client only it. They keep no secret. */
static void encrypt(void *socket, int server) {
    static const unsigned char bytes[32] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                                            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    char secret[41], public[41], own_secret[41], own_public[41];
    int on = 1;
    zmq_z85_encode(secret, bytes, sizeof bytes);
    check(zmq_curve_public(public, secret) == 0, "this libzmq has no CURVE");
    if (server) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, 41);
        return;
    }
    zmq_curve_keypair(own_public, own_secret);
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, public, 41);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own_public, 41);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own_secret, 41);
}

int main(int argc, char **argv) {
    const char *endpoint = NULL;
    size_t size = 64;
    long count = 100000, warmup = 10000, bind = 0;
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (!strcmp(argv[i], "--bind")) bind = 1, endpoint = value;
        else if (!strcmp(argv[i], "--connect")) endpoint = value;
        else if (!strcmp(argv[i], "--size")) size = atol(value);
        else if (!strcmp(argv[i], "--count")) count = atol(value);
        else if (!strcmp(argv[i], "--warmup")) warmup = atol(value);
    }
    if (argc == 2 && !strcmp(argv[1], "version")) {
        int major, minor, patch;
        zmq_version(&major, &minor, &patch);
        printf("%d.%d.%d\n", major, minor, patch);
        return 0;
    }
    if (argc < 2 || !endpoint) {
        fprintf(stderr, "libsodium push|pull --bind|--connect ENDPOINT --size N --count N --warmup N\n");
        return 2;
    }
    int push = !strcmp(argv[1], "push");
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, push ? ZMQ_PUSH : ZMQ_PULL);
    encrypt(socket, bind);
    check((bind ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint)) == 0, endpoint);
    zmq_msg_t body, message;
    zmq_msg_init_size(&body, size);
    memset(zmq_msg_data(&body), 1, size);
    if (push) {
        for (long i = 0; i < warmup + count; i++) {
            zmq_msg_init(&message);
            zmq_msg_copy(&message, &body);
            check(zmq_msg_send(&message, socket, 0) >= 0, "send");
        }
        while (getchar() != EOF) {}
        _exit(0);
    }
    puts("READY");
    fflush(stdout);
    zmq_msg_init(&message);
    double start = 0;
    for (long i = 1; i <= warmup + count; i++) {
        check(zmq_msg_recv(&message, socket, 0) == (int) size, "receive");
        if (i == warmup) start = now();
    }
    printf("{\"rate\": %.0f}\n", count / (now() - start));
    return 0;
}
