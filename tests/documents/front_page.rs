//! The book's front page in Chromium: it says what it should, and is drawn. The picture is left beside the book.

use std::path::PathBuf;
use std::process::Command;

use common::browser;
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SIZE: (u32, u32) = (1200, 1000);

/// Where builds go: this program is in `debug/deps` there.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.ancestors().nth(3).expect("a folder").to_owned()
}

/// Whether mdBook is there, or where `scripts/book` installs it.
fn has_mdbook() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([target().join("tools/bin")])
        .any(|place| place.join("mdbook").exists())
}

#[tokio::test]
async fn the_books_front_page_is_drawn() {
    let Some(browser) = browser::find().filter(|_| has_mdbook()) else {
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
    let page = target().join("book/index.html");
    let text = std::fs::read_to_string(&page).expect("the front page");
    for expected in [
        "What brings you here?",
        "start.html",
        "troubleshooting.html",
        "glossary.html",
    ] {
        assert!(text.contains(expected), "{expected} is missing");
    }

    let folder = TempDir::with_prefix("purezmq-").expect("temporary folder");
    let address = format!("file://{}", page.display());
    let drawn = browser::open(&browser, folder.path(), &address, SIZE)
        .wait()
        .await;
    assert!(drawn.expect("the browser ends").success());
    let picture = folder.path().join("page.png");
    std::fs::copy(&picture, target().join("book/front-page.png")).expect("copied");
    let pixels = browser::pixels(&picture, SIZE);
    let inked = pixels
        .iter()
        .filter(|pixel| pixel.iter().any(|part| *part < 0xe0));
    let share = inked.count() as f64 / pixels.len() as f64;
    assert!((0.01..0.5).contains(&share), "{share} of the page is drawn");
}
