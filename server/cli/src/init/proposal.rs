//! What is proposed for a project: which file has the command that its deployment starts, and what stands there afterwards.

use heapbeat_shared::text::{shorten, single_line};
use serde_json::Value;

use super::command::Command;
use super::project::Project;
use super::start::{Form, Start, count_lines, find_start};
use crate::daemon_command::describe_daemon;

/// Size limit of a text of a project in a sentence, in bytes.
const MAX_QUOTE: usize = 300;

/// The address of this repository, whose images are in GitHub's registry under the same name.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// A part of a file and what replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) file: &'static str,
    /// The byte at which the part begins.
    at: usize,
    /// The part; empty if something is added.
    pub(super) old: String,
    pub(super) new: String,
}

impl Edit {
    /// Applies the change to the text of the file.
    pub(super) fn apply(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.at], self.new, &text[self.at + self.old.len()..])
    }
}

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    /// What the project is, in a sentence.
    pub(super) recognized: String,
    /// Whether the start command is guarded already.
    pub(super) is_guarded: bool,
    pub(super) edits: Vec<Edit>,
    /// What is to be done besides.
    pub(super) next: Vec<String>,
}

/// Where the program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runtime {
    Node,
    Python,
    Axum,
    /// Ruby, Java and others, for which there is no package.
    Other,
}

/// A framework: the name, the runtime, the files that can name it, and the dependency.
type Framework = (&'static str, Runtime, &'static [&'static str], &'static str);

/// The frameworks that are recognized; the first that is found counts, as a framework depends on what is below it.
const FRAMEWORKS: [Framework; 11] = [
    ("Next.js", Runtime::Node, &["package.json"], "next"),
    ("NestJS", Runtime::Node, &["package.json"], "@nestjs/core"),
    ("Fastify", Runtime::Node, &["package.json"], "fastify"),
    ("Express", Runtime::Node, &["package.json"], "express"),
    ("FastAPI", Runtime::Python, &["requirements.txt", "pyproject.toml"], "fastapi"),
    ("Django", Runtime::Python, &["requirements.txt", "pyproject.toml"], "django"),
    ("Flask", Runtime::Python, &["requirements.txt", "pyproject.toml"], "flask"),
    ("Rails", Runtime::Other, &["Gemfile"], "rails"),
    ("Rack", Runtime::Other, &["Gemfile"], "rack"),
    ("Spring", Runtime::Other, &["pom.xml", "build.gradle", "build.gradle.kts"], "org.springframework.boot"),
    ("axum", Runtime::Axum, &["Cargo.toml"], "axum"),
];

/// Recognizes the framework and the runtime of a project.
fn recognize(project: &Project) -> (&'static str, Runtime) {
    let found = FRAMEWORKS.iter().find(|(_, _, files, dependency)| project.depends_on(files, dependency));
    match found {
        Some((name, runtime, _, _)) => (name, *runtime),
        None if project.has("package.json") => ("Node", Runtime::Node),
        None if project.has("requirements.txt") || project.has("pyproject.toml") => {
            ("Python", Runtime::Python)
        }
        None => ("unknown", Runtime::Other),
    }
}

impl Proposal {
    /// Proposes what puts the program of a project under guard.
    pub(super) fn of(project: &Project) -> Self {
        let (framework, runtime) = recognize(project);
        if runtime == Runtime::Axum {
            return embed();
        }
        let start = match find_start(project, runtime == Runtime::Node) {
            Ok(start) => start,
            Err(found) => return not_changed(project, runtime, &found),
        };
        let mut proposal = Proposal {
            recognized: match (&start, framework) {
                (Some(start), "unknown") => {
                    format!("A program that {} starts: {}", start.file, quote(&start.command.text()))
                }
                (Some(start), _) => {
                    format!("{framework}, which {} starts: {}", start.file, quote(&start.command.text()))
                }
                (None, "unknown") => {
                    "Nothing that is known: there is no start command in a file of this folder".to_owned()
                }
                (None, _) => format!("{framework}, without a start command in a file of this folder"),
            },
            is_guarded: start.as_ref().is_some_and(|start| start.command.is_guarded()),
            edits: Vec::new(),
            next: Vec::new(),
        };
        if proposal.is_guarded {
            proposal.recognized.push_str("\nIt is guarded already");
            return proposal;
        }
        let Some(start) = start else {
            proposal.next = install_steps(project, runtime);
            proposal.next.push(format!("start it with: {} run -- YOUR COMMAND", program(runtime)));
            return proposal;
        };
        proposal.edits.push(guard(&start, runtime));
        if start.file != "Dockerfile" {
            proposal.next = install_steps(project, runtime);
            proposal.edits.extend(require_package(project, runtime));
        }
        proposal.next.extend(remarks(project, &start));
        proposal
            .next
            .push("curl localhost:8080/health shows the memory of the program once it runs".to_owned());
        proposal
    }
}

/// What is proposed where the start command has a form that is not changed here.
fn not_changed(project: &Project, runtime: Runtime, found: &str) -> Proposal {
    let mut next = install_steps(project, runtime);
    next.push(format!("put this before it by hand: {} run --", program(runtime)));
    let recognized = format!("A start command that is not changed here, as {}", quote(found));
    Proposal { recognized, is_guarded: false, edits: Vec::new(), next }
}

/// What is proposed for an axum application.
fn embed() -> Proposal {
    Proposal {
        recognized: "An axum application, which embeds heapbeat instead of running behind it".to_owned(),
        // Its source is not changed here, and nothing is missing.
        is_guarded: true,
        edits: Vec::new(),
        next: vec![
            "cargo add heapbeat".to_owned(),
            "add to main.rs: #[global_allocator] static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;".to_owned(),
            "serve by: heapbeat::Guard::new(heapbeat::Config::from_env()?)?.serve(app).await?".to_owned(),
        ],
    }
}

/// The instruction by which a Dockerfile copies the program from its image.
pub(super) fn image_line() -> String {
    let image = REPOSITORY.replacen("https://github.com", "ghcr.io", 1);
    format!("COPY --from={image}:run /heapbeat /usr/local/bin/heapbeat")
}

/// Puts heapbeat before a start command.
fn guard(start: &Start, runtime: Runtime) -> Edit {
    let Start { file, form, command, at, old } = start;
    let program = program(runtime);
    let new = match form {
        Form::Line => command.guard(program).text(),
        Form::Yaml => quote_yaml(command.guard(program).text()),
        // npm passes SIGTERM on to the shell alone, so heapbeat has to take its place.
        Form::Script => Value::from(command.guard_in_place("heapbeat").text()).to_string(),
        Form::Instruction(name) => match command.guard_in_place("heapbeat") {
            Command::List(words) => format!("{}\n{name} {}", image_line(), serde_json::json!(words)),
            Command::Shell(text) => format!("{}\n{name} {text}", image_line()),
        },
    };
    Edit { file, at: *at, old: old.clone(), new }
}

/// What is to be known besides about a start command.
fn remarks(project: &Project, start: &Start) -> Vec<String> {
    let mut remarks = Vec::from_iter(describe_daemon([start.command.text().as_str()]));
    if let Some(port) = start.command.fixed_port() {
        remarks.push(format!(
            "the program keeps port {port} for itself (--upstream), and the service listens on PORT, or 8080 where that is not set: it must \
             be another one; with $PORT in place of {port} a new copy starts beside the old one"
        ));
    }
    let others = count_lines(project, start.file, "startCommand:").saturating_sub(1);
    if others > 0 {
        remarks
            .push(format!("{} has more start commands ({others}), which were left as they are", start.file));
    }
    if project.text("render.yaml").is_some_and(|text| !text.contains("healthCheckPath:")) {
        remarks.push(
            "add healthCheckPath: /health to the service in render.yaml: it answers while the program is replaced, and under memory pressure"
                .to_owned(),
        );
    }
    if start.file == "package.json" {
        remarks.push(
            "a platform whose start command is npm start keeps npm in memory, some 60 MB: \
             node_modules/.bin/heapbeat run -- as its start command does not"
                .to_owned(),
        );
    }
    remarks
}

/// Returns a text of a project as a part of a sentence. One with several lines could pass for what heapbeat says itself.
fn quote(text: &str) -> String {
    shorten(&single_line(text), MAX_QUOTE)
}

/// Quotes a scalar of YAML if it needs that. A string of JSON is one of YAML.
fn quote_yaml(text: String) -> String {
    if text.ends_with(':') || [": ", ":\t", " #", "\t#"].iter().any(|part| text.contains(part)) {
        Value::from(text).to_string()
    } else {
        text
    }
}

/// The name of heapbeat's program in a start command.
fn program(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Node => "node_modules/.bin/heapbeat",
        Runtime::Python | Runtime::Axum => "heapbeat",
        Runtime::Other => "bin/heapbeat",
    }
}

/// Adds the package to requirements.txt.
fn require_package(project: &Project, runtime: Runtime) -> Option<Edit> {
    let text = project.text("requirements.txt").filter(|_| runtime == Runtime::Python)?;
    if project.depends_on(&["requirements.txt"], "heapbeat") || has_hashes(project) {
        return None;
    }
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let new = format!("{separator}heapbeat\n");
    Some(Edit { file: "requirements.txt", at: text.len(), old: String::new(), new })
}

/// Returns whether requirements.txt has a hash of each package, without which pip then installs none.
fn has_hashes(project: &Project) -> bool {
    project
        .text("requirements.txt")
        .is_some_and(|text| text.contains("--hash") || text.contains("--require-hashes"))
}

/// What brings the program of heapbeat into the deployment.
fn install_steps(project: &Project, runtime: Runtime) -> Vec<String> {
    let step = match runtime {
        Runtime::Node if project.depends_on(&["package.json"], "heapbeat") => return Vec::new(),
        Runtime::Node if project.has("pnpm-lock.yaml") => "pnpm add heapbeat",
        Runtime::Node if project.has("yarn.lock") => "yarn add heapbeat",
        Runtime::Node if project.has("bun.lock") => "bun add heapbeat",
        Runtime::Node => "npm install heapbeat",
        Runtime::Python if has_hashes(project) && !project.depends_on(&["requirements.txt"], "heapbeat") => {
            "add heapbeat with its hashes to requirements.txt, as pip-compile --generate-hashes does"
        }
        Runtime::Python if project.has("requirements.txt") => "pip install -r requirements.txt",
        Runtime::Python => "add heapbeat to the dependencies of pyproject.toml",
        Runtime::Axum => "cargo add heapbeat",
        Runtime::Other => "put the program heapbeat of a release into bin/, in the build of the deployment",
    };
    vec![step.to_owned()]
}
