//! The book's front page in Chromium: it is drawn, and says what it should. The picture is left beside the book.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SIZE: (u32, u32) = (1200, 1000);

/// Names of Chromium, the smallest first.
const BROWSERS: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];

/// Where builds go: this program is in `debug/deps` there.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.ancestors().nth(3).expect("a folder").to_owned()
}

/// Returns the first of these programs that is there, in `PATH` or where `scripts/book` installs what it needs.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = std::env::split_paths(&path)
        .chain([target().join("tools/bin")])
        .collect();
    let found = |name: &&str| {
        places
            .iter()
            .map(|place| place.join(name))
            .find(|path| path.exists())
    };
    names.iter().find_map(found)
}

/// Opens a page, and returns what the browser prints.
fn open(browser: &Path, folder: &TempDir, page: &Path, what: &str) -> String {
    let done = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args([
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--log-level=3",
        ])
        .arg(format!("--window-size={},{}", SIZE.0, SIZE.1))
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("user").display()
        ))
        .arg(what)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// The share of a picture's pixels that are neither white nor nearly so.
fn drawn(picture: &Path) -> f64 {
    let file = std::fs::File::open(picture).expect("a picture");
    let mut reader = png::Decoder::new(std::io::BufReader::new(file))
        .read_info()
        .expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    assert_eq!((info.width, info.height), SIZE);
    let bytes = info.color_type.samples();
    let pixels = pixels[..info.buffer_size()].chunks_exact(bytes);
    let all = pixels.len() as f64;
    pixels
        .filter(|pixel| pixel[..3].iter().any(|part| *part < 0xe0))
        .count() as f64
        / all
}

#[test]
fn the_books_front_page_is_drawn() {
    let (Some(browser), Some(_)) = (program(&BROWSERS), program(&["mdbook"])) else {
        eprintln!(
            "\n*** SKIPPED: there is no Chromium, or no mdbook. Run scripts/setup as root, and scripts/book. ***\n"
        );
        return;
    };
    let built = Command::new("scripts/book")
        .env("CARGO_TARGET_DIR", target())
        .current_dir(ROOT)
        .status();
    assert!(built.expect("bash").success(), "scripts/book");
    let folder = TempDir::with_prefix("purezmq-").expect("temporary folder");
    let page = target().join("book/index.html");

    let text = open(&browser, &folder, &page, "--dump-dom");
    for expected in [
        "What brings you here?",
        "start.html",
        "troubleshooting.html",
        "glossary.html",
    ] {
        assert!(text.contains(expected), "{expected} is missing");
    }
    let picture = target().join("book/front-page.png");
    open(
        &browser,
        &folder,
        &page,
        &format!("--screenshot={}", picture.display()),
    );
    let drawn = drawn(&picture);
    assert!((0.01..0.5).contains(&drawn), "{drawn} of the page is drawn");
}
