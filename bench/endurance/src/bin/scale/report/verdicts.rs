//! What became of each sweep: whether what one costs grows with what is around, and how it compares with libzmq's.

use super::{PLOTS, Report, SWEPT, shown};
use crate::Who;

/// So much may one cost more among ten times as many: memory that is not in the processor's cache takes longer.
const MOST_GROWTH: f64 = 1.5;

/// Noise of two runs.
const AS_GOOD: f64 = 1.05;

impl Report {
    /// How often the cost of one is taken that it has among a tenth as many, at the largest number that has a tenth.
    fn times(&self, quantity: &'static str, who: Who) -> Option<(usize, f64)> {
        let values = self.values.get(&(quantity, who))?;
        let mut largest_first = values.iter().rev();
        largest_first.find_map(|(number, cost)| {
            let before = self.get(quantity, who, number / 10)?;
            (number % 10 == 0).then_some((*number, cost / before))
        })
    }

    /// A line for each sweep.
    pub(super) fn verdicts(&self) -> String {
        let mut text = String::from(
            "\n## What is around\n\nProcessor time for each one, in us, at the largest number that both were measured with, \
             and how often that of a tenth as many it is, at the largest number that each was measured with. `purezmq` has \
             one thread, `workers` is the same with a runtime of two workers, both beside libzmq with its I/O thread. It is \
             met if neither of ours costs more than libzmq's, and neither grows by more than half, or more than libzmq's \
             does.\n\n| | among | purezmq | workers | libzmq | growth | of workers | of libzmq | |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        let swept = PLOTS.iter().filter(|(name, ..)| *name == SWEPT);
        for (quantity, title) in swept.flat_map(|(.., quantities)| *quantities) {
            let Some((number, theirs)) = self
                .values
                .get(&(*quantity, Who::Libzmq))
                .and_then(|values| values.last().copied())
            else {
                continue;
            };
            let costs = [Who::Purezmq, Who::Workers].map(|who| self.get(quantity, who, number));
            let growths =
                [Who::Purezmq, Who::Workers, Who::Libzmq].map(|who| self.times(quantity, who));
            let most = growths[2].map_or(MOST_GROWTH, |(_, times)| times.max(MOST_GROWTH));
            let is_dear = costs.iter().flatten().any(|cost| *cost > theirs * AS_GOOD);
            let grows = growths[..2].iter().flatten().any(|growth| growth.1 > most);
            let verdict = match (is_dear, grows) {
                (false, false) => "met",
                (true, false) => "**not met**: dearer",
                (false, true) => "**not met**: grows",
                (true, true) => "**not met**: dearer, and grows",
            };
            let cost = |value: Option<f64>| value.map_or("-".to_owned(), shown);
            let growth = |value: Option<(usize, f64)>| {
                value.map_or("-".to_owned(), |(most, times)| {
                    format!("{} (to {most})", shown(times))
                })
            };
            let line = format!(
                "| {title} | {number} | {} | {} | {} | {} | {} | {} | {verdict} |\n",
                cost(costs[0]),
                cost(costs[1]),
                shown(theirs),
                growth(growths[0]),
                growth(growths[1]),
                growth(growths[2]),
            );
            print!("{line}");
            text += &line;
        }
        text
    }
}
