//! Statements in the API: the English text, the code by which it is translated, and the values in it.

use heapbeat_shared::{Params, Statement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The code and the values of a statement whose English text stands in another list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Translation")]
pub struct TranslationView {
    /// The stable name of the statement, such as `last-sample`.
    pub code: String,
    /// The values in it by name: numbers or texts.
    #[schemars(with = "schema::Params")]
    pub params: Params,
}

/// The English texts of statements, and for each of them its code and values.
pub(super) fn split(statements: &[Statement]) -> (Vec<String>, Vec<TranslationView>) {
    let texts = statements.iter().map(|it| it.text.clone()).collect();
    let translation = |it: &Statement| TranslationView { code: it.code.clone(), params: it.params.clone() };
    (texts, statements.iter().map(translation).collect())
}
