//! The budgets of strangers, and the rows that they leave.

mod answers;
mod budget;
mod flood;
mod log;
