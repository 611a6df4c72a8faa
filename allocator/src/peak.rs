//! The most that a thread kept, since the innermost of the sections under way on it began.

use std::cell::Cell;

/// A thread's own. Cells of one word each, all put back by whoever begins and ends a section in a
/// signal handler, so that what it interrupts finds them as they were.
#[derive(Debug)]
pub(crate) struct Peak {
    /// How many sections are under way, one in another.
    depth: Cell<u32>,
    /// The largest balance that was noted since the innermost one began.
    highest: Cell<i64>,
}

/// What a section found, and puts back when it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outer {
    depth: u32,
    highest: i64,
}

impl Peak {
    pub(crate) const fn new() -> Self {
        Self { depth: Cell::new(0), highest: Cell::new(0) }
    }

    /// Whether a section is under way, so that the balance is worth being summed.
    pub(crate) fn is_watched(&self) -> bool {
        self.depth.get() > 0
    }

    /// Notes the thread's balance: what it has allocated less what it has freed.
    pub(crate) fn note(&self, balance: i64) {
        self.highest.set(self.highest.get().max(balance));
    }

    /// Begins a section at this balance.
    pub(crate) fn begin(&self, balance: i64) -> Outer {
        let depth = self.depth.get();
        let outer = Outer { depth, highest: self.highest.replace(balance) };
        self.depth.set(depth.saturating_add(1));
        outer
    }

    /// Ends the section that found `outer`, at this balance, and answers the largest one that was
    /// noted while it ran; the outer section has it then too.
    ///
    /// Whoever is still under way inside ends along with it. A section that ends after the one
    /// around it leaves alone what has begun since, and has the balance at its end.
    pub(crate) fn end(&self, outer: Outer, balance: i64) -> i64 {
        if self.depth.get() <= outer.depth {
            return balance;
        }
        let highest = self.highest.get().max(balance);
        self.depth.set(outer.depth);
        self.highest.set(highest.max(outer.highest));
        highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_the_largest_balance_noted_while_it_ran() {
        let peak = Peak::new();
        assert!(!peak.is_watched());
        let outer = peak.begin(-100);
        assert!(peak.is_watched());
        peak.note(50);
        peak.note(20);
        assert_eq!(peak.end(outer, 10), 50);
        assert!(!peak.is_watched());
    }

    #[test]
    fn what_was_noted_before_a_section_is_not_in_it_and_what_was_noted_in_it_is_in_the_outer_one() {
        let peak = Peak::new();
        let first = peak.begin(0);
        peak.note(70);
        let second = peak.begin(10);
        peak.note(40);
        assert_eq!(peak.end(second, 10), 40, "70 was before");
        assert_eq!(peak.end(first, 0), 70, "which the inner one has not lost");

        let first = peak.begin(0);
        let second = peak.begin(0);
        peak.note(90);
        assert_eq!(peak.end(second, 0), 90);
        assert_eq!(peak.end(first, 0), 90);
    }

    #[test]
    fn a_section_that_outlives_the_one_around_it_disturbs_none_that_began_since() {
        let peak = Peak::new();
        let first = peak.begin(0);
        peak.note(500);
        let [second, third] = [(); 2].map(|()| peak.begin(0));
        assert_eq!(peak.end(first, 0), 0, "what it had noted went with those inside");
        assert_eq!(peak.end(third, 2), 2);
        assert!(!peak.is_watched());

        let later = peak.begin(0);
        assert_eq!(peak.end(second, 3), 3);
        assert!(peak.is_watched());
        peak.note(7);
        assert_eq!(peak.end(later, 0), 7);
        assert!(!peak.is_watched());
    }

    #[test]
    fn a_section_that_never_ends_ends_with_the_one_around_it() {
        let peak = Peak::new();
        let first = peak.begin(0);
        let _leaked = peak.begin(0);
        peak.note(30);
        assert_eq!(peak.end(first, 0), 30);
        assert!(!peak.is_watched());
    }
}
