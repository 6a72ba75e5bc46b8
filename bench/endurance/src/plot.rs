//! Curves as SVG, for the documentation: panels below each other, each with its curves.

use std::path::Path;

use plotters::prelude::*;

use crate::Failure;

const WIDTH: u32 = 860;
const PANEL: u32 = 240;
/// The first is PureZMQ's wherever it is compared.
const COLOURS: [RGBColor; 4] = [
    RGBColor(25, 118, 210),
    RGBColor(239, 108, 0),
    RGBColor(56, 142, 60),
    RGBColor(97, 97, 97),
];
const GREY: RGBColor = RGBColor(189, 189, 189);

/// One curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its entry in the legend; empty for none.
    pub name: String,
    /// Points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A pair of axes with curves.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows, with units.
    pub title: String,
    /// What is on the horizontal axis, with units.
    pub across: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// Whether both axes are logarithmic, and the points are marked. Else the vertical one begins at 0.
    pub logarithmic: bool,
}

/// Writes the panels, one below the other, to an SVG file.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(path: &Path, panels: &[Panel]) -> Result<(), Failure> {
    let count = u32::try_from(panels.len())?;
    let root = SVGBackend::new(path, (WIDTH, PANEL * count.max(1))).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root.split_evenly((panels.len(), 1)).iter().zip(panels) {
        if panel.logarithmic {
            logarithmic(area, panel)?;
        } else {
            linear(area, panel)?;
        }
    }
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Smallest and largest of all points, by axis.
fn bounds(panel: &Panel) -> ((f64, f64), (f64, f64)) {
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    (
        range(&mut points().map(|point| point.0)),
        range(&mut points().map(|point| point.1)),
    )
}

/// Draws what both kinds of axes have in common.
macro_rules! draw {
    ($area:expr, $panel:expr, $x:expr, $y:expr, $marked:expr) => {{
        let mut chart = ChartBuilder::on($area)
            .caption(&$panel.title, ("sans-serif", 15))
            .margin(10)
            .x_label_area_size(34)
            .y_label_area_size(70)
            .build_cartesian_2d($x, $y)?;
        chart
            .configure_mesh()
            .x_desc(&$panel.across)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .light_line_style(WHITE)
            .draw()?;
        for (curve, colour) in $panel.curves.iter().zip(COLOURS.iter().cycle()) {
            let drawn = chart.draw_series(LineSeries::new(
                curve.points.iter().copied(),
                colour.stroke_width(2),
            ))?;
            if !curve.name.is_empty() {
                drawn.label(&curve.name).legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
            }
            if $marked {
                let marks = curve.points.iter();
                chart.draw_series(marks.map(|&point| Circle::new(point, 3, colour.filled())))?;
            }
        }
        if $panel.curves.iter().any(|curve| !curve.name.is_empty()) {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .border_style(GREY)
                .draw()?;
        }
    }};
}

fn linear(area: &Area<'_>, panel: &Panel) -> Result<(), Failure> {
    let ((left, right), (_, top)) = bounds(panel);
    draw!(area, panel, left..right, 0.0..top.max(1.0) * 1.15, false);
    Ok(())
}

fn logarithmic(area: &Area<'_>, panel: &Panel) -> Result<(), Failure> {
    let ((left, right), (bottom, top)) = bounds(panel);
    let across = (left..right.max(left * 2.0)).log_scale();
    let up = (bottom / 2.0..top * 3.0).log_scale();
    draw!(area, panel, across, up, true);
    Ok(())
}

/// A number as a label of an axis.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        v if v >= 1e4 => format!("{} k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = if value.abs() < 1.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.1}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(1000.0), "1000");
        assert_eq!(short(12_500.0), "12.5 k");
        assert_eq!(short(1e6), "1 M");
    }
}
