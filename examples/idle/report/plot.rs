//! Line plots as inline SVG, in the colours of the page around them. This file knows points and
//! words, not what they mean.

use std::fmt::Write;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;

/// A line in one of the page's colours.
pub struct Line {
    pub name: &'static str,
    /// The class of the colour: `a`, `b` or `c`.
    pub class: char,
    pub points: Vec<(f64, f64)>,
}

/// A plot.
pub struct Plot {
    pub title: &'static str,
    pub lines: Vec<Line>,
    pub across: Axis,
    pub up: Axis,
}

/// The scale of an axis, and the form of its numbers.
pub struct Axis {
    pub scale: Scale,
    pub show: fn(f64) -> String,
    pub name: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Linear from zero.
    Linear,
    Logarithmic,
    /// Shares of all, whose nines are equally far apart: 0.9, 0.99, 0.999.
    Nines,
}

impl Scale {
    fn at(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(1e-3).log10(),
            Scale::Nines => -(1.0 - value).max(1e-5).log10(),
        }
    }

    /// The values to be marked between two others.
    fn marks(self, least: f64, most: f64) -> Vec<f64> {
        match self {
            Scale::Linear => {
                let step = step(most - least);
                (0..=6)
                    .map(|n| n as f64 * step)
                    .filter(|&mark| mark >= least && mark <= most * 1.000_1)
                    .collect()
            }
            Scale::Logarithmic => {
                let decades =
                    least.max(1e-3).log10().floor() as i32..=most.max(1e-3).log10().ceil() as i32;
                decades.map(|decade| 10f64.powi(decade)).collect()
            }
            Scale::Nines => vec![0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999],
        }
    }
}

/// A round step, about four of which make up a range.
fn step(range: f64) -> f64 {
    let rough = (range / 4.0).max(1e-9);
    let decade = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|factor| factor * decade)
        .into_iter()
        .find(|&step| step >= rough)
        .unwrap_or(rough)
}

/// Values and their places.
struct Range {
    scale: Scale,
    least: f64,
    most: f64,
    marks: Vec<f64>,
}

impl Range {
    fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Range {
        let most = values.clone().fold(f64::MIN, f64::max).max(1e-3);
        let least = match scale {
            Scale::Linear | Scale::Nines => 0.0,
            Scale::Logarithmic => values.fold(f64::MAX, f64::min).max(1e-3),
        };
        let marks = scale.marks(least, most);
        let (least, most) = match scale {
            Scale::Linear => (0.0, most * 1.04),
            Scale::Logarithmic => {
                (marks[0], marks.last().copied().unwrap_or(most).max(marks[0] * 10.0))
            }
            Scale::Nines => (0.0, 0.99999),
        };
        Range { scale, least, most, marks }
    }

    /// The place of a value: 0 for the least value to 1 for the greatest.
    fn share(&self, value: f64) -> f64 {
        let (least, most) = (self.scale.at(self.least), self.scale.at(self.most));
        ((self.scale.at(value) - least) / (most - least)).clamp(0.0, 1.0)
    }
}

impl Plot {
    /// Draws the plot as SVG in a figure; draws nothing without points.
    pub fn svg(&self) -> String {
        let values = |pick: fn(&(f64, f64)) -> f64| {
            self.lines.iter().flat_map(|line| &line.points).map(pick)
        };
        if self.lines.iter().all(|line| line.points.len() < 2) {
            return String::new();
        }
        let across = Range::of(self.across.scale, values(|point| point.0));
        let up = Range::of(self.up.scale, values(|point| point.1));
        let x = |value: f64| LEFT + across.share(value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM);
        let mut svg = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<figure><figcaption>{}{}</figcaption>\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.title,
            self.legend(),
            self.title
        );
        for &mark in &up.marks {
            let (at, right) = (y(mark), WIDTH - RIGHT);
            let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
            let _ = write!(
                svg,
                "<text class=\"up\" x=\"{}\" y=\"{:.1}\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                (self.up.show)(mark)
            );
        }
        for &mark in &across.marks {
            let text = (self.across.show)(mark);
            let _ = write!(
                svg,
                "<text class=\"across\" x=\"{:.1}\" y=\"{}\">{text}</text>",
                x(mark),
                HEIGHT - BOTTOM + 16.0
            );
        }
        let _ = write!(
            svg,
            "<text class=\"across\" x=\"{:.1}\" y=\"{}\">{}</text>",
            LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
            HEIGHT - 4.0,
            self.across.name
        );
        svg += &self.polylines(x, y);
        svg + "</svg></figure>\n"
    }

    fn polylines(&self, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
        let polyline = |line: &Line| {
            let points: Vec<String> = line
                .points
                .iter()
                .map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1)))
                .collect();
            format!("<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" "))
        };
        self.lines.iter().map(polyline).collect()
    }

    fn legend(&self) -> String {
        let named = |line: &Line| format!(" <span class=\"{}\">{}</span>", line.class, line.name);
        let unit = if self.up.name.is_empty() {
            String::new()
        } else {
            format!(" <small>{}</small>", self.up.name)
        };
        self.lines.iter().map(named).collect::<String>() + &unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_lie_within() {
        assert_eq!(Scale::Linear.marks(0.0, 19_900.0), [0.0, 5_000.0, 10_000.0, 15_000.0]);
        assert_eq!(Scale::Linear.marks(0.0, 4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(Scale::Logarithmic.marks(90.0, 1_200.0), [10.0, 100.0, 1_000.0, 10_000.0]);
    }

    #[test]
    fn plot_places_its_points_within_its_frame() {
        let line = Line { name: "held", class: 'a', points: vec![(0.0, 0.0), (10.0, 500.0)] };
        let axis = || Axis { scale: Scale::Linear, show: |value| format!("{value}"), name: "s" };
        let svg = Plot { title: "t", lines: vec![line], across: axis(), up: axis() }.svg();
        assert!(svg.contains("points=\"64.0,186.0 "), "{svg}");
        assert!(!svg.contains("NaN"));
        assert_eq!(Plot { title: "t", lines: vec![], across: axis(), up: axis() }.svg(), "");
    }
}
