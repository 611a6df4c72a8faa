//! What [`Config`] accepts, and what it says of the rest.

use super::Config;
use crate::error::Error;

mod env;
#[cfg(feature = "serde")]
mod files;
mod table;
mod validate;

fn from_vars(variables: &[(&str, &str)]) -> Result<Config, Error> {
    Config::from_vars(variables.iter().map(|&(name, value)| (name.into(), value.into())))
}

/// What is said of variables that are refused.
fn refused(variables: &[(&str, &str)]) -> String {
    match from_vars(variables).unwrap_err() {
        error @ Error::InvalidVariables { .. } => error.to_string(),
        error => panic!("{variables:?} were refused for another reason: {error:?}"),
    }
}
