// Feeds libzmq's fuzz targets (LLVMFuzzerTestOneInput of its *_fuzzer programs) with inputs that are drawn here, without
// libFuzzer: what talks in their language, broken in a place or two. suite_fuzzers.py builds and runs it.
//
//     driver TARGET SECONDS SEED FOLDER       draws inputs; FOLDER/TARGET.input is the last one, for when it ends badly
//     driver TARGET FILE                      runs that input again
//
// Ends with 1 at the first input that breaks an assertion of the target, with SIGALRM at one that takes 40 seconds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <time.h>
#include <unistd.h>
#include <vector>
#include <unity.h>

extern "C" int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef std::string Bytes;

static std::mt19937 dice;
static unsigned draw (unsigned below) { return dice () % below; }
static Bytes bytes (const char *text, size_t size) { return Bytes (text, size); }

static Bytes noise (size_t size)
{
    Bytes out (size, 0);
    for (char &c : out)
        c = (char) draw (256);
    return out;
}

static Bytes greeting (const Bytes &mechanism, char server)
{
    static const char minors[] = {1, 1, 1, 0, 2};
    Bytes g = bytes ("\xff\0\0\0\0\0\0\0\1\x7f", 10);
    g += (char) (draw (8) ? 3 : draw (5));
    g += minors[draw (5)];
    Bytes name = mechanism;
    name.resize (20, 0);
    return g + name + server + Bytes (31, 0);
}

static Bytes frame (unsigned flags, const Bytes &body)
{
    Bytes f;
    if (body.size () > 255 || draw (6) == 0) {
        f += (char) (flags | 2);
        for (int shift = 56; shift >= 0; shift -= 8)
            f += (char) ((uint64_t) body.size () >> shift);
    } else {
        f += (char) flags;
        f += (char) body.size ();
    }
    return f + body;
}

static Bytes property (const Bytes &name, const Bytes &value)
{
    uint32_t n = (uint32_t) value.size ();
    return Bytes (1, (char) name.size ()) + name + bytes ("\0\0", 2) + (char) (n >> 8) + (char) n + value;
}

static Bytes command (const Bytes &name, const Bytes &body)
{
    return frame (4, Bytes (1, (char) name.size ()) + name + body);
}

static Bytes zmtp (const Bytes &mechanism)
{
    static const char *types[] = {"PAIR", "PUB", "SUB",  "XPUB", "XSUB", "REQ",    "REP",
                                  "PUSH", "PULL", "DEALER", "ROUTER", "STREAM", "NOSUCH"};
    Bytes out = greeting (mechanism, (char) draw (2));
    if (mechanism == "CURVE")
        out += command ("HELLO", bytes ("\1\0", 2) + Bytes (72, 0) + noise (120));
    else
        out += command ("READY", property ("Socket-Type", types[draw (13)]) + property ("Identity", noise (draw (20))) +
                                   (draw (3) ? Bytes () : property (noise (draw (30)), noise (draw (300)))));
    for (unsigned n = draw (8); n > 0; n--)
        switch (draw (7)) {
        case 0: out += command ("PING", noise (2) + noise (draw (20))); break;
        case 1: out += command ("ERROR", frame (0, noise (draw (40))).substr (1)); break;
        case 2: out += command ("SUBSCRIBE", noise (draw (30))); break;
        case 3: out += command ("INITIATE", noise (200)); break;
        case 4: out += frame (1, noise (draw (40))); break;
        case 5: out += frame (0, Bytes (1, (char) draw (2)) + noise (draw (400))); break;
        default: out += frame (0, noise (draw (40)));
        }
    return out;
}

static Bytes ws (bool server)
{
    Bytes out = server
      ? Bytes ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: ZWS2.0\r\n\r\n")
      : Bytes ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0/NULL\r\n"
               "Sec-WebSocket-Version: 13\r\n\r\n");
    for (unsigned n = draw (6); n > 0; n--) {
        Bytes body = Bytes (1, (char) draw (5)) + noise (draw (140));
        static const unsigned char heads[] = {0x82, 0x81, 0x88, 0x89, 0x8a, 0x02, 0x80, 0xf2};
        out += (char) heads[draw (8)];
        char mask = server ? 0 : (char) 0x80;
        if (body.size () < 126)
            out += (char) (mask | (char) body.size ());
        else
            out += Bytes (1, (char) (mask | 126)) + (char) (body.size () >> 8) + (char) body.size ();
        out += (server ? Bytes () : noise (4)) + body;
    }
    return out;
}

static Bytes endpoint ()
{
    static const char *parts[] = {"tcp://", "ipc://", "inproc://", "udp://",   "ws://", "tipc://", "vmci://", "127.0.0.1",
                                  "[::1]",  "*",      ":*",        ":0",      ":65536", ":-1",     "@",       "/tmp/z",
                                  ";",      "lo",     "eth0",      "%lo",     "localhost", "://",  "!",       "/",
                                  "{1,2}",  ":00080", "0x7f.1",    "255.255.255.255", "\xff\xfe", ""};
    Bytes out;
    for (unsigned n = 1 + draw (5); n > 0; n--)
        out += parts[draw (sizeof parts / sizeof *parts)];
    return out;
}

static Bytes z85 ()
{
    Bytes out;
    for (unsigned n = draw (60); n > 0; n--)
        out += draw (20) ? (char) (33 + draw (93)) : (char) draw (256);
    return out;
}

static void broken (Bytes &b)
{
    for (unsigned n = draw (4); n > 0 && !b.empty (); n--) {
        size_t at = draw ((unsigned) b.size ());
        switch (draw (6)) {
        case 0: b[at] ^= (char) (1 << draw (8)); break;
        case 1: b[at] = (char) draw (256); break;
        case 2: b.erase (at, 1 + draw (16)); break;
        case 3: b.insert (at, noise (1 + draw (16))); break;
        case 4: b.resize (at); break;
        default: b.insert (at, b.substr (draw ((unsigned) b.size ()), 1 + draw (64)));
        }
    }
}

static Bytes input (const Bytes &target)
{
    auto has = [&] (const char *word) { return target.find (word) != Bytes::npos; };
    Bytes out;
    if (draw (12) == 0)
        return noise (1 + draw (300));
    if (has ("z85"))
        out = z85 ();
    else if (has ("options"))
        out = noise (draw (80));
    else if (has ("_ws"))
        out = ws (has ("connect"));
    else if (has ("curve"))
        out = zmtp (draw (6) ? "CURVE" : "NULL");
    else if (has ("stream"))
        out = draw (2) ? noise (draw (400)) : zmtp ("NULL");
    else if (has ("null"))
        out = zmtp (draw (6) ? "NULL" : "PLAIN");
    else
        out = endpoint ();
    broken (out);
    // socket_options returns at an empty one, and leaves what it has opened: in the end no descriptors are left.
    return out.empty () ? noise (1) : out;
}

static Bytes current;
static void one ()
{
    LLVMFuzzerTestOneInput ((const uint8_t *) current.data (), current.size ());
}

static int fed (const Bytes &bytes)
{
    current = bytes;
    alarm (40);
    UNITY_BEGIN ();
    UnityDefaultTestRun (one, "one input", 0);
    alarm (0);
    return Unity.TestFailures ? UNITY_END () : 0;
}

int main (int argc, char **argv)
{
    if (argc == 3) {
        std::ifstream file (argv[2], std::ios::binary);
        return fed (Bytes (std::istreambuf_iterator<char> (file), std::istreambuf_iterator<char> ())) != 0;
    }
    if (argc != 5)
        return 2;
    double seconds = atof (argv[2]);
    dice.seed ((unsigned) atoi (argv[3]));
    Bytes last = Bytes (argv[4]) + "/" + argv[1] + ".input";
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    double end = (double) t.tv_sec + seconds;
    long inputs = 0;
    do {
        Bytes next = input (argv[1]);
        std::ofstream (last, std::ios::binary) << next;
        if (fed (next))
            return 1;
        inputs++;
        clock_gettime (CLOCK_MONOTONIC, &t);
    } while ((double) t.tv_sec < end);
    printf ("%ld inputs\n", inputs);
    return 0;
}
