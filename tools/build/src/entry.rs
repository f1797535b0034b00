//! The entry module: the handlers and classes of the Worker, wrapped so that a panic does not outlive its request.

use std::fmt::Write;

/// The part that is the same for all exports.
const TEMPLATE: &str = include_str!("entry.js");

/// The line of the template that the handlers replace.
const HANDLERS: &str = "// HANDLERS\n";

/// Exports that the entry module itself calls.
const INTERNAL: [&str; 2] = ["__wbg_reset_state", "__worker_init_state"];

/// Handlers of the runtime, which receive the environment and the context besides their event.
const EVENTS: [&str; 5] = ["fetch", "queue", "scheduled", "email", "connect"];

/// Renders the entry module for bindings that wasm-bindgen has generated.
pub(crate) fn render(bindings: &str) -> String {
    let mut handlers = String::new();
    for name in exported_functions(bindings) {
        if EVENTS.contains(&name) {
            let _ = writeln!(
                handlers,
                "Entrypoint.prototype.{name} = function {name}(arg) {{ return exports.{name}.call(this, arg, this.env, this.ctx); }};"
            );
        } else {
            let _ = writeln!(handlers, "Entrypoint.prototype.{name} = exports.{name};");
        }
    }
    let mut module = TEMPLATE.replace(HANDLERS, &handlers);
    for name in exported_classes(bindings) {
        let _ = writeln!(module, "export const {name} = new Proxy(exports.{name}, classProxyHooks);");
    }
    module
}

/// Names of the functions that the bindings export, as declarations or renamed (`export { a as b }`).
fn exported_functions(bindings: &str) -> impl Iterator<Item = &str> {
    bindings
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix("export ")?;
            if let Some(renamed) = rest.strip_prefix('{') {
                return Some(renamed.split_once(" as ")?.1.split_once('}')?.0.trim());
            }
            let declaration = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("function")?;
            Some(declaration.split_once('(')?.0.trim())
        })
        .filter(|name| !INTERNAL.contains(name))
}

/// Names of the classes that the bindings export.
fn exported_classes(bindings: &str) -> impl Iterator<Item = &str> {
    bindings.lines().filter_map(|line| Some(line.strip_prefix("export class ")?.split_once('{')?.0.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDINGS: &str = "import source wasm from './index_bg.wasm';
export class Hub {
    alarm() {}
}
export function __worker_init_state() {}
export async function fetch(request, env, context) {}
export function scheduled(event, env, context) {}
function other_internal() {}
export { other_internal as other };
export function __wbg_reset_state () {}
";

    #[test]
    fn events_receive_the_environment_and_the_context() {
        let module = render(BINDINGS);
        for event in ["fetch", "scheduled"] {
            let call = format!("exports.{event}.call(this, arg, this.env, this.ctx)");
            assert!(module.contains(&call), "{module}");
        }
    }

    #[test]
    fn other_functions_become_methods_unchanged() {
        assert!(render(BINDINGS).contains("Entrypoint.prototype.other = exports.other;"));
    }

    #[test]
    fn exported_classes_are_wrapped() {
        assert!(render(BINDINGS).contains("export const Hub = new Proxy(exports.Hub, classProxyHooks);"));
    }

    #[test]
    fn internal_functions_are_not_handlers() {
        assert!(!render(BINDINGS).contains("prototype.__w"));
    }
}
