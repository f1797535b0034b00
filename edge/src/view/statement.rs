//! Statements in the API: the English text, its code for translation, and the values in it.

use heapbeat_shared::{Params, Statement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The code and the values of a statement whose English text is in another list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Translation")]
pub struct TranslationView {
    /// The stable name of the statement, such as `last-sample`.
    pub code: String,
    /// The values in it by name: numbers or texts.
    #[schemars(with = "schema::Params")]
    pub params: Params,
}

impl From<&Statement> for TranslationView {
    fn from(statement: &Statement) -> Self {
        TranslationView { code: statement.code.clone(), params: statement.params.clone() }
    }
}

/// Returns the English texts of statements, and the code and values of each.
pub(super) fn split_statements(statements: &[Statement]) -> (Vec<String>, Vec<TranslationView>) {
    let texts = statements.iter().map(|it| it.text.clone()).collect();
    (texts, statements.iter().map(TranslationView::from).collect())
}
