//! Plots, as SVG in the page. Lines differ in colour and in the shape of their points, and each has
//! its name at its end, so that neither a legend nor colours are needed.

use maud::{Markup, html};

use super::measure::Measure;
use super::scale::{Scale, spread, without_overlap};
use crate::text::numbers::counted;
use crate::text::wrap::shortened;

/// A plot of a measure by the number of clients.
pub struct Plot {
    /// The title.
    pub title: String,
    /// The unit, and which direction is better.
    pub subtitle: &'static str,
    /// Whether the vertical axis is logarithmic.
    pub is_log: bool,
    /// What it shows.
    pub measure: Measure,
    /// The lines.
    pub series: Vec<Series>,
}

/// A line of a plot.
pub struct Series {
    /// The server.
    pub name: String,
    /// The index of its colour and shape.
    pub index: usize,
    /// Its points, from left to right.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Clients.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Whether it is drawn faint and not ranked: something other than the server limited it.
    pub is_faint: bool,
}

const WIDTH: f64 = 520.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 12.0;
/// The coordinate of the horizontal axis, which is lower if the names need more height.
const BOTTOM: f64 = 292.0;

/// The height below that axis, for its numbers and its title.
const AXIS_HEIGHT: f64 = 38.0;

/// The height of a label.
const LABEL_HEIGHT: f64 = 15.0;

/// The approximate width of a letter, in the size of the labels.
const LETTER_WIDTH: f64 = 7.0;

/// The most characters of a name; a tooltip has all of it.
const LONGEST_NAME: usize = 24;

/// Formats a coordinate. A tenth of a pixel is enough.
pub fn px(value: f64) -> String {
    format!("{value:.1}")
}

impl Plot {
    /// The plot, with its title.
    pub fn draw(&self) -> Markup {
        let xs = self.clients();
        html! {
            figure {
                figcaption { b { (self.title) } " " span { (self.subtitle) } }
                div.wide tabindex="0" role="region" aria-label=(self.title) {
                    @if xs.len() > 1 { (self.lines(&xs)) } @else { (self.bars()) }
                }
            }
        }
    }

    fn clients(&self) -> Vec<f64> {
        let mut xs: Vec<_> = self.points().map(|point| point.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.series.iter().flat_map(|series| &series.points)
    }

    fn lines(&self, clients: &[f64]) -> Markup {
        let right = WIDTH - self.widest_name() - 16.0;
        let bottom = BOTTOM.max(TOP + LABEL_HEIGHT * self.series.len() as f64);
        let height = bottom + AXIS_HEIGHT;
        let (first, last) = (clients[0], clients[clients.len() - 1]);
        let x = Scale::log_between(first, last, LEFT + 10.0, right - 8.0);
        let values: Vec<_> = self.points().map(|point| point.high).collect();
        let values = [values, self.points().map(|point| point.low).collect()].concat();
        let y = match self.is_log {
            true => Scale::log(&values, bottom, TOP),
            false => Scale::linear(&values, bottom, TOP),
        };
        let bounds = format!("0 0 {WIDTH} {height}");
        html! {
            svg viewBox=(bounds) role="img" aria-label=(self.title) {
                (self.grid(clients, (&x, &y), right, bottom))
                @for series in &self.series { (self.line(series, &x, &y)) }
                (self.labels((&x, &y), right, bottom))
            }
        }
    }

    /// The width of the longest name as it is shown.
    fn widest_name(&self) -> f64 {
        let names = self.series.iter().map(|series| series.name.chars().count());
        names.max().unwrap_or(0).min(LONGEST_NAME) as f64 * LETTER_WIDTH
    }

    fn grid(&self, clients: &[f64], (x, y): (&Scale, &Scale), right: f64, bottom: f64) -> Markup {
        let width = |clients: &f64| clients.to_string().len() as f64 * LETTER_WIDTH + 6.0;
        let numbers: Vec<_> = clients.iter().map(|at| (x.at(*at), width(at))).collect();
        let shown: Vec<_> =
            without_overlap(&numbers).into_iter().map(|index| clients[index]).collect();
        html! {
            @for tick in y.ticks() {
                line.grid x1=(px(LEFT)) x2=(px(right)) y1=(px(y.at(tick))) y2=(px(y.at(tick))) {}
                text.tick x=(px(LEFT - 6.0)) y=(px(y.at(tick) + 4.0)) text-anchor="end" {
                    (short(self.measure.write(tick)))
                }
            }
            @for clients in shown {
                text.tick x=(px(x.at(clients))) y=(px(bottom + 17.0)) text-anchor="middle" {
                    (clients)
                }
            }
            text.tick x=(px((LEFT + right) / 2.0)) y=(px(bottom + AXIS_HEIGHT - 5.0))
                text-anchor="middle" {
                "clients at once"
            }
        }
    }

    fn line(&self, series: &Series, x: &Scale, y: &Scale) -> Markup {
        let corners: Vec<_> = series
            .points
            .iter()
            .map(|point| format!("{},{}", px(x.at(point.x)), px(y.at(point.y))))
            .collect();
        html! {
            g class=(colour(series.index)) {
                polyline.line points=(corners.join(" ")) {}
                @for point in &series.points {
                    g class=[point.is_faint.then_some("faint")] {
                        title { (self.tooltip(series, point)) }
                        line.whisker x1=(px(x.at(point.x))) x2=(px(x.at(point.x)))
                            y1=(px(y.at(point.low))) y2=(px(y.at(point.high))) {}
                        (marker(series.index, x.at(point.x), y.at(point.y)))
                    }
                }
            }
        }
    }

    fn tooltip(&self, series: &Series, point: &Point) -> String {
        let write = |value| self.measure.write(value);
        let (value, low, high) = (write(point.y), write(point.low), write(point.high));
        let spread = if low == high { String::new() } else { format!(" ({low} to {high})") };
        format!("{}, {}: {value}{spread}", series.name, counted(point.x as u64, "client"))
    }

    /// The name of each line, beside its end.
    fn labels(&self, (x, y): (&Scale, &Scale), right: f64, bottom: f64) -> Markup {
        let ends: Vec<_> = self
            .series
            .iter()
            .filter_map(|series| series.points.last().map(|point| (series, point)))
            .collect();
        let wanted: Vec<_> = ends.iter().map(|(_, point)| y.at(point.y)).collect();
        let placed = spread(&wanted, LABEL_HEIGHT, TOP, bottom);
        html! {
            @for ((series, point), label) in ends.iter().zip(placed) {
                g class=(colour(series.index)) {
                    line.leader x1=(px(x.at(point.x) + 5.0)) y1=(px(y.at(point.y)))
                        x2=(px(right + 8.0)) y2=(px(label)) {}
                    text.label x=(px(right + 11.0)) y=(px(label + 4.0)) {
                        (shortened(&series.name, LONGEST_NAME))
                    }
                }
            }
        }
    }

    /// A bar for each server: a single number of clients makes no line.
    fn bars(&self) -> Markup {
        let left = self.widest_name() + 12.0;
        let values: Vec<_> = self.points().map(|point| point.high).collect();
        let x = Scale::linear(&values, left, WIDTH - 70.0);
        let height = 8.0 + 26.0 * self.series.len() as f64;
        let bounds = format!("0 0 {WIDTH} {height}");
        let points = self
            .series
            .iter()
            .filter_map(|series| series.points.last().map(|point| (series, point)));
        html! {
            svg viewBox=(bounds) role="img" aria-label=(self.title) {
                @for (place, (series, point)) in points.enumerate() {
                    @let y = 8.0 + 26.0 * place as f64;
                    g class={ (colour(series.index)) @if point.is_faint { " faint" } } {
                        title { (self.tooltip(series, point)) }
                        text.label x=(px(left - 8.0)) y=(px(y + 13.0)) text-anchor="end" {
                            (shortened(&series.name, LONGEST_NAME))
                        }
                        rect.bar x=(px(left)) y=(px(y)) height="18"
                            width=(px((x.at(point.y) - left).max(1.0))) {}
                        line.whisker x1=(px(x.at(point.low))) x2=(px(x.at(point.high)))
                            y1=(px(y + 9.0)) y2=(px(y + 9.0)) {}
                        text.tick x=(px(x.at(point.high) + 6.0)) y=(px(y + 13.0)) {
                            (self.measure.write(point.y))
                        }
                    }
                }
            }
        }
    }
}

/// The number of colours that can be told apart.
const COLOURS: usize = 8;

/// The CSS class with the colour of a server.
pub fn colour(index: usize) -> String {
    format!("c{}", index % COLOURS)
}

/// A number beside an axis, without trailing zeros.
fn short(written: String) -> String {
    let (number, unit) = written.split_once(' ').unwrap_or((&written, ""));
    let number = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
}

/// A point in the shape of its server.
fn marker(index: usize, x: f64, y: f64) -> Markup {
    const SIZE: f64 = 4.0;
    let corners = |corners: &[(f64, f64)]| {
        let of = |(dx, dy): &(f64, f64)| format!("{},{}", px(x + dx * SIZE), px(y + dy * SIZE));
        corners.iter().map(of).collect::<Vec<_>>().join(" ")
    };
    let square = [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)];
    let up = [(0.0, -1.2), (1.1, 0.9), (-1.1, 0.9)];
    let down = [(0.0, 1.2), (1.1, -0.9), (-1.1, -0.9)];
    let diamond = [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)];
    let shape: &[(f64, f64)] = match index % 5 {
        0 => return html! { circle.point cx=(px(x)) cy=(px(y)) r=(px(SIZE)) {} },
        1 => &square,
        2 => &up,
        3 => &diamond,
        _ => &down,
    };
    html! { polygon.point points=(corners(shape)) {} }
}

/// The latencies of a run by percentile. The horizontal axis is logarithmic in the share of slower
/// requests: 0 %, 90 %, 99 % and 99.9 % are equal steps apart.
pub fn curve(points: &[(f64, u64)], write: fn(f64) -> String) -> Markup {
    const BOTTOM: f64 = 150.0;
    const RIGHT: f64 = 500.0;
    /// The percentiles that are labelled, and the last one that is drawn.
    const TICKS: [f64; 5] = [0.0, 90.0, 99.0, 99.9, 99.99];
    const MAX: f64 = 99.995;
    let values: Vec<_> = points.iter().map(|(_, us)| (*us).max(1) as f64).collect();
    let y = Scale::log(&values, BOTTOM, 10.0);
    let beyond = |percentile: f64| 100.0 / (100.0 - percentile.min(MAX));
    let x = Scale::log_between(1.0, beyond(MAX), 60.0, RIGHT);
    let corners: Vec<_> = points
        .iter()
        .map(|(percentile, us)| {
            format!("{},{}", px(x.at(beyond(*percentile))), px(y.at((*us).max(1) as f64)))
        })
        .collect();
    html! {
        svg.curve viewBox="0 0 520 175" role="img" aria-label="latencies by percentile" {
            @for tick in y.ticks() {
                line.grid x1="60" x2=(px(RIGHT)) y1=(px(y.at(tick))) y2=(px(y.at(tick))) {}
                text.tick x="54" y=(px(y.at(tick) + 4.0)) text-anchor="end" {
                    (short(write(tick)))
                }
            }
            @for tick in TICKS {
                text.tick x=(px(x.at(beyond(tick)))) y=(px(BOTTOM + 17.0)) text-anchor="middle" {
                    (tick) " %"
                }
            }
            polyline.line points=(corners.join(" ")) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::numbers::thousands;

    fn plot(xs: &[f64], name: &str) -> String {
        let point = |x: &f64| Point { x: *x, y: 50.0, low: 40.0, high: 60.0, is_faint: false };
        let points = xs.iter().map(point).collect();
        let series = vec![Series { name: name.into(), index: 0, points }];
        let (title, subtitle) = ("t".to_owned(), "s");
        Plot { title, subtitle, is_log: false, measure: Measure::Throughput, series }
            .draw()
            .into_string()
    }

    #[test]
    fn several_loads_make_a_line_and_one_makes_bars() {
        let lines = plot(&[20.0, 200.0], "a");
        assert_eq!(lines.matches("<polyline").count(), 1);
        assert!(lines.contains("a, 200 clients: 50.0 (40.0 to 60.0)"));
        let bars = plot(&[20.0], "a");
        assert!(bars.contains("<rect") && !bars.contains("<polyline"));
    }

    #[test]
    fn axes_have_short_numbers() {
        let shown = ["0.00", "20.0 ms", "1.50 s", "1,000", "100"].map(|text| short(text.into()));
        assert_eq!(shown, ["0", "20 ms", "1.5 s", "1,000", "100"]);
    }

    #[test]
    fn names_are_text_and_nothing_else() {
        for xs in [&[20.0, 200.0][..], &[20.0]] {
            let drawn = plot(xs, "<script>\"&");
            assert!(!drawn.contains("<script>") && drawn.contains("&lt;script&gt;"));
        }
    }

    #[test]
    fn a_curve_can_be_drawn_of_any_measurement() {
        for points in [&[][..], &[(100.0, 0)], &[(0.0, 10), (50.0, 20), (100.0, 90)]] {
            let drawn = curve(points, thousands).into_string();
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }
}
