//! Where fuzzing begins: the wire vectors of `zmtp/tests/wire-vectors.json`, in each target's form of input.

use std::sync::OnceLock;

use serde_json::Value;

/// Texts that parse, and some that nearly do.
const ENDPOINTS: &[&str] = &[
    "tcp://127.0.0.1:5555",
    "tcp://*:*",
    "tcp://[::1]:0",
    "tcp://[fe80::1%eth0]:80",
    "tcp://lo:1",
    "tcp://a.example:65535",
    "tcp://127.0.0.1:0;10.0.0.1:5",
    "tcp://lo:*;[::1]:9",
    "ipc:///tmp/x",
    "ipc://@name",
    "ipc://*",
    "inproc://a b",
    "tcp://[::1]:65537",
    "udp://x:1",
    "udp://eth0;239.0.0.1:*",
    "tcp://",
    "tcp://:1",
    "tcp://\u{fc}:1",
];

const CERTIFICATES: &[&str] = &[
    "HelloWorld",
    "metadata\n    name = \"joe\"\ncurve\n    public-key = \"PUBLIC\"\n    secret-key = \"SECRET\"\n",
    "curve\n    public-key = \"PUBLIC\"\n",
    "#  c\nmetadata\n  a = 'b\"c'\n  = \ncurve\n public-key=PUBLIC\n",
    "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
];

/// Every vector's bytes: what is written in it, and all of its steps in a row.
fn vectors() -> &'static [Vec<u8>] {
    static VECTORS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    VECTORS.get_or_init(|| {
        let file = include_str!("../../zmtp/tests/wire-vectors.json");
        let file: Value = serde_json::from_str(file).expect("the vectors are JSON");
        let mut all = Vec::new();
        for vector in file["vectors"].as_array().expect("a list of vectors") {
            all.push(hex(vector["hex"].as_str().expect("bytes")));
            if let Some(steps) = vector["steps"].as_array() {
                let steps = steps.iter().map(|step| hex(step.as_str().expect("bytes")));
                all.push(steps.flatten().collect());
            }
        }
        all.retain(|bytes| bytes.len() < 2000);
        all.sort();
        all.dedup();
        all
    })
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex"))
        .collect()
}

/// The seeds of a target.
#[must_use]
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let behind = |heads: &[&[u8]], cut: usize| -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for head in heads {
            for vector in vectors() {
                seeds.push([head, vector.get(cut..).unwrap_or_default()].concat());
            }
        }
        seeds
    };
    match target {
        "greeting" => behind(
            &[
                &[7, 0, 0, 0, 5],
                &[9, 0, 1, 1, 0],
                &[7, 2, 0, 1, 9],
                &[7, 4, 0, 0, 8],
            ],
            0,
        ),
        "frames" => behind(
            &[
                &[7, 0, 0, 5],
                &[9, 0, 1, 9],
                &[7, 1, 0, 3],
                &[9, 2, 0, 2],
                &[0, 3, 0, 7],
            ],
            0,
        ),
        // READY's list begins behind the frame's header and the name.
        "ready" => behind(&[&[7, 0, 3, 1, 0], &[3, 1, 8, 0, 3, 0, 1, b'x']], 8),
        "error" => behind(&[&[0, 0, 4], &[1, 1, 4], &[2, 2, 4]], 9),
        "subscribe" => vec![
            vec![
                0, 0, 0, 3, 1, 1, b'A', 0, 0, 1, b'A', 1, 2, 4, 1, 2, 3, 4, 0,
            ],
            vec![1, 1, 0, 6, 1, 0, 1, 3, 6, 0, 4, 1, b'a', b'b', b'c', 2],
            vec![2, 2, 1, 5, 1, 3, b'a', b'b', b'c', 2],
        ],
        "heartbeat" => vec![
            vec![
                7, 1, 3, 232, 3, 232, 0, 100, 1, 4, 7, 3, 240, 1, 0, 6, 3, 240,
            ],
            vec![
                9, 0, 0, 1, 2, 0, 10, 2, b'h', b'i', 6, 4, 0, 3, 5, 0, 5, 0, 1, b'c', b't', b'x',
            ],
        ],
        "null" | "plain-client" | "plain-server" => {
            let mut seeds = behind(&[&[7, 0, 0, 0, 1, 3, 0], &[7, 2, 0, 1, 0, 4, 0]], 0);
            seeds.extend(behind(&[&[7, 0, 0, 1, 1, 5, 0]], 64));
            seeds.push(
                [
                    &[7, 0, 0, 1, 1, 5, 1, 1, 11],
                    &b"\x03joe\x06secret"[..],
                    &[3, 0, 3, 0],
                ]
                .concat(),
            );
            seeds
        }
        "curve-client" | "curve-server" => {
            let mut seeds = behind(&[&[7, 0, 0, 0, 3, 1], &[7, 2, 0, 1, 4, 1]], 0);
            for tail in [
                &[0, 0, 6, 3, 2, 0, b'x', 6, 4, 3, 1, b'a', b'b'][..],
                &[0, 5, 2, 21, 11],
                &[0, 4, 2, 3, 1, 2, 3],
                &[3, 2, 0],
                &[0, 0, 2, 2, 0, 0],
            ] {
                seeds.push([&[7, 0, 0, 1, 3, 0], tail].concat());
            }
            seeds
        }
        "sealed" => vec![
            vec![
                0, 3, 2, 1, 2, b'h', b'i', 0, 1, b'x', 7, 0, 4, b'f', b'o', b'u', b'r', 0, 1, 2, 0,
                b'x',
            ],
            vec![
                1, 3, 0, 9, 0, 1, 1, 0, 5, b'h', b'e', b'l', b'l', b'o', 0, 1, 3, 1, b'a', b'b',
                17, 2, 2, 9,
            ],
            vec![
                0, 2, 0, 1, 12, 2, 9, b'S', b'U', b'B', b'S', b'C', b'R', b'I', b'B', b'E', b'A',
                2, 1, 1,
            ],
        ],
        "peers" => (0..27)
            .map(|n| {
                let head = [n, n / 9, n & 1, n];
                let ops = [
                    3, 1, 2, b'h', b'i', 1, b'x', 7, 2, 255, 130, 255, 2, 200, 131, 0, 1, b'y', 5,
                    4, 0, 130, 99,
                ];
                [&head[..], &ops].concat()
            })
            .collect(),
        "datagram" => [
            &b"\0\x08\x02ugubody\x03\x02ug\x03\x09ug\x01\x80\0\x05\x01\0abc"[..],
            b"\x01\x05hello\0\x02hi",
            b"\x01\x12\x01234567890abcdefxy",
            b"\0\x01\0\x02\0x\x02\x01g",
        ]
        .map(<[u8]>::to_vec)
        .into(),
        "websocket" => [
            &[
                0, 1, 0x82, 3, 0, b'h', b'i', 0x89, 1, b'x', 0x8a, 0, 0x88, 2, 3, 0xe8,
            ][..],
            &[1, 9, 0x82, 0x83, 1, 2, 3, 4, 1, b'h' ^ 2, b'i' ^ 3],
            &[
                3, 2, 0x82, 0x82, 0, 0, 0, 0, 0, b'n', 0x82, 0x83, 0, 0, 0, 0, 0, 1, b't',
            ],
            &[0, 5, 0x82, 126, 1, 1, 2, 5, b'R', b'E', b'A', b'D', b'Y'],
            &[0, 5, 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 1, 0, 7],
        ]
        .map(<[u8]>::to_vec)
        .into(),
        "zap" => [
            ["200", "joe", "\x03foo\0\0\0\x03bar"],
            ["300", "", ""],
            ["400", "", ""],
            ["500", "x", "\x01"],
        ]
        .iter()
        .map(|[status, user, metadata]| {
            let frames = ["", "1.0", "7", status, "text", user, metadata];
            frames
                .iter()
                .flat_map(|frame| [&[frame.len() as u8], frame.as_bytes()].concat())
                .collect()
        })
        .collect(),
        "endpoint" => texts(ENDPOINTS),
        "certificate" => texts(CERTIFICATES),
        _ => Vec::new(),
    }
}
