//! The tables and the goals that a run ends with.

use anyhow::Result;
use serde::Serialize;

/// All that was measured.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    tables: Vec<Table>,
    goals: Vec<Goal>,
}

/// Figures that belong together.
#[derive(Serialize)]
pub(crate) struct Table {
    title: &'static str,
    columns: &'static [&'static str],
    rows: Vec<(String, Vec<f64>)>,
}

#[derive(Serialize)]
struct Goal {
    what: &'static str,
    value: f64,
    bound: Bound,
    met: bool,
}

/// On which side of a number the goal lies.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Table {
    pub(crate) fn new(title: &'static str, columns: &'static [&'static str]) -> Self {
        Self {
            title,
            columns,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, figures: Vec<f64>) {
        let name = name.into();
        eprintln!("{}: {name}: {figures:.1?}", self.title);
        self.rows.push((name, figures));
    }
}

impl Report {
    pub(crate) fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub(crate) fn goal(&mut self, what: &'static str, value: f64, bound: Bound) {
        let met = match bound {
            Bound::AtMost(most) => value <= most,
            Bound::AtLeast(least) => value >= least,
        };
        self.goals.push(Goal {
            what,
            value,
            bound,
            met,
        });
    }

    pub(crate) fn print(&self) {
        for table in &self.tables {
            println!("\n{}", table.title);
            print!("{:<40}", "");
            for column in table.columns {
                print!("{column:>16}");
            }
            println!();
            for (name, figures) in &table.rows {
                print!("{name:<40}");
                for figure in figures {
                    print!("{figure:>16.2}");
                }
                println!();
            }
        }
        println!("\nGoals");
        for goal in &self.goals {
            let (word, number) = match goal.bound {
                Bound::AtMost(most) => ("at most", most),
                Bound::AtLeast(least) => ("at least", least),
            };
            let met = if goal.met { "met" } else { "MISSED" };
            println!(
                "{:<64}{:>12.2}   {word} {number}: {met}",
                goal.what, goal.value
            );
        }
    }

    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}
