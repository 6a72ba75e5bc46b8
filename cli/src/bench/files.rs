//! Results in files: JSON, which `--compare` reads again, CSV, and a drawing.

use std::fmt::Write;
use std::path::Path;

use plotters::prelude::*;

use super::result::{FORMAT, Measured, Run, VERSION};
use super::{Output, compare};
use crate::failure::Failure;

/// The drawing's size, in pixels.
const SIZE: (u32, u32) = (900, 500);

/// Returns whether this is no file, but standard output.
pub(super) fn is_standard(json: &Path) -> bool {
    json.as_os_str() == "-"
}

/// Returns what a run is to be compared with. Fails if that cannot be read or is of another kind, or if a file cannot be
/// written that is asked for. What is in those stays: a run that fails has no result to replace it.
pub(super) fn prepare(output: &Output, run: &Run) -> Result<Option<Measured>, Failure> {
    let before = output.compare.as_deref().map(load).transpose()?;
    if let Some(before) = &before {
        compare::check(&before.run, run)?;
    }
    let json = output.json.iter().filter(|path| !is_standard(path));
    for path in json.chain(&output.csv).chain(&output.svg) {
        // To open a pipe and close it again would end who reads it.
        if path
            .metadata()
            .is_ok_and(|it| !it.is_file() && !it.is_dir())
        {
            continue;
        }
        let is_new = path.symlink_metadata().is_err();
        let mut options = std::fs::OpenOptions::new();
        let opened = options.append(true).create(true).open(path);
        opened.map_err(|error| cannot_write(path, &error))?;
        if is_new {
            // Nor is an empty file a result.
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(before)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::of(format_args!("cannot write {}", path.display()), error)
}

/// Writes the files that were asked for.
pub(super) fn save(measured: &Measured, output: &Output) -> Result<(), Failure> {
    if let Some(path) = &output.json {
        let json = serde_json::to_string_pretty(measured);
        let json = json.map_err(|error| Failure::of("cannot write the result", &error))? + "\n";
        if is_standard(path) {
            crate::print(&json)?;
        } else {
            write(path, &json)?;
        }
    }
    if let Some(path) = &output.csv {
        write(path, &csv(measured))?;
    }
    if let Some(path) = &output.svg {
        let drawing = svg(measured).map_err(|error| {
            Failure::of(format_args!("cannot draw {}", path.display()), &*error)
        })?;
        write(path, &drawing)?;
    }
    Ok(())
}

/// Reads a result.
pub(super) fn load(path: &Path) -> Result<Measured, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::of(format_args!("cannot read {name}"), &error))?;
    let measured: Measured = serde_json::from_str(&text)
        .map_err(|error| Failure::Input(format!("{name} is no result of pzmq bench: {error}")))?;
    if measured.format != FORMAT || measured.version > VERSION {
        let (version, made_by) = (measured.version, measured.made_by);
        return Err(Failure::Input(format!(
            "{name} is of version {version}, made by {made_by}; this pzmq reads version {VERSION}"
        )));
    }
    Ok(measured)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

/// A row for each percentile; of a run that counts messages, for each reading of the clock.
fn csv(measured: &Measured) -> String {
    let mut text = String::new();
    if measured.latency_us.is_some() {
        text.push_str("percent,microseconds\n");
        for row in &measured.percentiles {
            let _ = writeln!(text, "{},{}", row.percent, row.us);
        }
    } else {
        text.push_str("seconds,messages\n");
        for row in &measured.over_time {
            let _ = writeln!(text, "{:.6},{}", row.seconds, row.messages);
        }
    }
    text
}

type Drawn = Result<String, Box<dyn std::error::Error>>;

fn svg(measured: &Measured) -> Drawn {
    let run = &measured.run;
    let title = format!("{}, {} bytes, {}", run.kind, run.message_bytes, run.peer);
    match measured.latency_us {
        Some(_) => latencies(measured, &title),
        None => rates(measured, &title),
    }
}

/// Latencies by percentile. To the right each nine takes as much room as the one before.
fn latencies(measured: &Measured, title: &str) -> Drawn {
    // What takes 99 % is 100 to the right: one of 100 takes longer.
    let points = measured.percentiles.iter().filter_map(|row| {
        let one_of = 100.0 / (100.0 - row.percent);
        one_of.is_finite().then_some((one_of, row.us.max(1e-3)))
    });
    let points: Vec<(f64, f64)> = points.collect();
    let right = points.last().map_or(10.0, |last| last.0.max(10.0));
    let low = points.iter().map(|point| point.1).fold(f64::MAX, f64::min);
    let high = points.iter().map(|point| point.1).fold(1e-3, f64::max);
    let mut drawing = String::new();
    {
        let area = SVGBackend::with_string(&mut drawing, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(15)
            .x_label_area_size(45)
            .y_label_area_size(75)
            .build_cartesian_2d(
                (1.0..right).log_scale(),
                (low.min(high) * 0.9..high * 1.1).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc("percentile")
            .y_desc("microseconds")
            .x_label_formatter(&|one_of| percent(*one_of))
            .draw()?;
        chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2)))?;
        area.present()?;
    }
    Ok(drawing)
}

/// Writes a percentile with as many nines as it has.
fn percent(one_of: f64) -> String {
    let percent = 100.0 - 100.0 / one_of;
    let digits = (one_of.log10().round() as usize).saturating_sub(2);
    format!("{percent:.digits$} %")
}

/// The rate from one reading of the clock to the next.
fn rates(measured: &Measured, title: &str) -> Drawn {
    let mut points = vec![];
    let mut before = (0.0, 0);
    for row in &measured.over_time {
        let (seconds, messages) = (row.seconds - before.0, row.messages - before.1);
        if seconds > 0.0 {
            points.push((row.seconds, messages as f64 / seconds));
            before = (row.seconds, row.messages);
        }
    }
    let high = points.iter().map(|point| point.1).fold(1.0, f64::max);
    let mut drawing = String::new();
    {
        let area = SVGBackend::with_string(&mut drawing, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(15)
            .x_label_area_size(45)
            .y_label_area_size(95)
            .build_cartesian_2d(0.0..measured.seconds.max(1e-6), 0.0..high * 1.1)?;
        chart
            .configure_mesh()
            .x_desc("seconds")
            .y_desc("messages a second")
            .y_label_formatter(&|rate| super::show::grouped(*rate))
            .draw()?;
        chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2)))?;
        area.present()?;
    }
    Ok(drawing)
}
