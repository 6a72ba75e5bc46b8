//! Chromium without a window: a page is opened, and drawn to a file once it is loaded. scripts/setup installs it, where it can.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// Names of Chromium, the smallest first.
const BROWSERS: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];

/// Returns the browser. `None`: there is none here.
pub fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    BROWSERS.iter().find_map(|name| {
        let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
        places.find(|place| place.exists())
    })
}

/// Opens a page in a window of this size. The browser ends when the page is loaded, and leaves `page.png` in the folder.
pub fn open(browser: &Path, folder: &Path, page: &str, (width, height): (u32, u32)) -> Child {
    let shot = folder.join("page.png");
    Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args([
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--log-level=3",
        ])
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--user-data-dir={}", folder.join("user").display()))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(page)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the browser starts")
}

/// Returns the colours of a picture of this size, row by row.
pub fn pixels(path: &Path, size: (u32, u32)) -> Vec<[u8; 3]> {
    let file = std::fs::File::open(path).expect("a screenshot");
    let mut reader = png::Decoder::new(std::io::BufReader::new(file))
        .read_info()
        .expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    assert_eq!((info.width, info.height), size);
    assert_eq!(info.bit_depth, png::BitDepth::Eight);
    let bytes = info.color_type.samples();
    assert!(bytes >= 3, "{:?}", info.color_type);
    let pixels = pixels[..info.buffer_size()].chunks_exact(bytes);
    let pixels: Vec<_> = pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    assert_eq!(pixels.len() as u32, size.0 * size.1);
    pixels
}
