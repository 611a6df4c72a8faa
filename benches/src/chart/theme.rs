//! The colours of a chart, on a light page and on a dark one.

use plotters::style::RGBColor;

/// One of the two looks that each chart is drawn in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    /// What the file's name ends with, before `.svg`.
    pub(super) suffix: &'static str,
    pub(super) paper: RGBColor,
    pub(super) ink: RGBColor,
    /// Of the lines of the mesh.
    pub(super) faint: RGBColor,
    hues: [RGBColor; HUES],
}

/// What a series stands for: the same in every chart.
///
/// The colours are those of Okabe and Ito, which people who see few colours can tell apart; series
/// are in the order of the legend in every group, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hue {
    /// What is compared with.
    Grey,
    /// Bursar.
    Blue,
    /// Bursar in another way: an isolated tag.
    Green,
    /// The first peer.
    Orange,
    /// The second peer.
    Purple,
    /// The third.
    Vermilion,
}

const HUES: usize = 6;

/// First the light one, which is shown where nothing is known of the page.
pub(super) const THEMES: [Theme; 2] = [
    Theme {
        suffix: "",
        paper: RGBColor(255, 255, 255),
        ink: RGBColor(36, 41, 47),
        faint: RGBColor(225, 228, 232),
        hues: [
            RGBColor(140, 149, 159),
            RGBColor(0, 114, 178),
            RGBColor(0, 158, 115),
            RGBColor(230, 159, 0),
            RGBColor(204, 121, 167),
            RGBColor(213, 94, 0),
        ],
    },
    Theme {
        suffix: "-dark",
        paper: RGBColor(13, 17, 23),
        ink: RGBColor(230, 237, 243),
        faint: RGBColor(48, 54, 61),
        hues: [
            RGBColor(139, 148, 158),
            RGBColor(86, 180, 233),
            RGBColor(46, 190, 145),
            RGBColor(240, 180, 40),
            RGBColor(220, 145, 185),
            RGBColor(240, 120, 50),
        ],
    },
];

impl Theme {
    pub(super) fn colour(&self, hue: Hue) -> RGBColor {
        self.hues[hue as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance that the guidelines on accessible pages define.
    fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: RGBColor, other: RGBColor) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn words_can_be_read_and_every_bar_be_seen_on_either_page() {
        for theme in THEMES {
            assert!(contrast(theme.ink, theme.paper) > 7.0);
            for colour in theme.hues {
                assert!(contrast(colour, theme.paper) > 2.0, "{colour:?}{}", theme.suffix);
            }
        }
    }

    #[test]
    fn no_two_series_have_one_colour() {
        for theme in THEMES {
            for (index, colour) in theme.hues.iter().enumerate() {
                assert!(!theme.hues[..index].contains(colour), "{colour:?}{}", theme.suffix);
            }
        }
    }
}
