//! Projects as people have them, and what is proposed for each.

use super::project::Project;
use super::proposal::{Proposal, image_line};

/// A project: its name, its files, what is recognized, the file that changes with the line afterwards, in which `{IMAGE}` stands for the
/// instruction that copies the program, and the first next step.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    recognized: &'static str,
    changed: &'static [(&'static str, &'static str)],
    next: &'static str,
}

const EXPRESS: &str = r#"{ "name": "shop", "scripts": { "test": "node server.js", "start": "node server.js" }, "dependencies": { "express": "^5" } }"#;

const CASES: [Case; 21] = [
    Case {
        name: "express",
        files: &[("package.json", EXPRESS)],
        recognized: "Express, which package.json starts: node server.js",
        changed: &[(
            "package.json",
            r#""test": "node server.js", "start": "exec heapbeat run -- node server.js""#,
        )],
        next: "npm install heapbeat",
    },
    Case {
        name: "express, with heapbeat installed",
        files: &[(
            "package.json",
            r#"{"scripts":{"start":"node a.js"},"dependencies":{"express":"5","heapbeat":"^0.1.0"}}"#,
        )],
        recognized: "Express, which package.json starts: node a.js",
        changed: &[("package.json", r#""start":"exec heapbeat run -- node a.js""#)],
        next: "a platform whose start command is npm start keeps npm in memory, some 60 MB: node_modules/.bin/heapbeat run -- as its start command \
               does not",
    },
    Case {
        name: "express under pm2, with heapbeat installed",
        files: &[(
            "package.json",
            r#"{"scripts":{"start":"pm2 start a.js"},"dependencies":{"express":"5","heapbeat":"^0.1.0"}}"#,
        )],
        recognized: "Express, which package.json starts: pm2 start a.js",
        changed: &[("package.json", r#""start":"exec heapbeat run -- pm2 start a.js""#)],
        next: "pm2 start leaves the program to a daemon and ends, so that heapbeat neither measures nor replaces it: start the program itself, \
               such as node server.js or pm2-runtime start",
    },
    Case {
        name: "express on render",
        files: &[
            ("package.json", EXPRESS),
            ("pnpm-lock.yaml", ""),
            ("render.yaml", "services:\n  - type: web\n    startCommand: node server.js # the shop\n"),
        ],
        recognized: "Express, which render.yaml starts: node server.js",
        changed: &[(
            "render.yaml",
            "    startCommand: node_modules/.bin/heapbeat run -- node server.js # the shop\n",
        )],
        next: "pnpm add heapbeat",
    },
    Case {
        name: "next",
        files: &[
            (
                "package.json",
                r#"{"name":"web","scripts":{"start":"next start"},"dependencies":{"next":"16","next-auth":"5"}}"#,
            ),
            ("render.yaml", "services:\n  - startCommand: npm start\n"),
        ],
        recognized: "Next.js, which package.json starts: next start",
        changed: &[("package.json", r#""start":"exec heapbeat run -- next start""#)],
        next: "npm install heapbeat",
    },
    Case {
        name: "nest",
        files: &[(
            "package.json",
            r#"{"scripts":{"start":"nest start","start:prod":"node dist/main"},"dependencies":{"@nestjs/core":"11","express":"5"}}"#,
        )],
        recognized: "NestJS, which package.json starts: node dist/main",
        changed: &[(
            "package.json",
            r#""start":"nest start","start:prod":"exec heapbeat run -- node dist/main""#,
        )],
        next: "npm install heapbeat",
    },
    Case {
        name: "fastapi",
        files: &[
            ("requirements.txt", "fastapi==0.120.0\nuvicorn[standard]"),
            (
                "render.yaml",
                "services:\n- runtime: python\n  startCommand: \"uvicorn app:app --host 0.0.0.0 --port $PORT\"\n",
            ),
        ],
        recognized: "FastAPI, which render.yaml starts: uvicorn app:app --host 0.0.0.0 --port $PORT",
        changed: &[
            (
                "render.yaml",
                "startCommand: heapbeat run -- sh -c 'exec uvicorn app:app --host 0.0.0.0 --port $PORT'\n",
            ),
            ("requirements.txt", "uvicorn[standard]\nheapbeat\n"),
        ],
        next: "pip install -r requirements.txt",
    },
    Case {
        name: "flask",
        files: &[
            ("requirements.txt", "Flask\ngunicorn\n"),
            ("Procfile", "web: gunicorn app:app\nworker: python w.py\n"),
        ],
        recognized: "Flask, which Procfile starts: gunicorn app:app",
        changed: &[
            ("Procfile", "web: heapbeat run -- gunicorn app:app\nworker: python w.py\n"),
            ("requirements.txt", "gunicorn\nheapbeat\n"),
        ],
        next: "pip install -r requirements.txt",
    },
    Case {
        name: "rails",
        files: &[
            ("Gemfile", "gem \"rails\", \"~> 8\"\n"),
            ("Procfile", "web: bundle exec puma -C config/puma.rb"),
        ],
        recognized: "Rails, which Procfile starts: bundle exec puma -C config/puma.rb",
        changed: &[("Procfile", "web: bin/heapbeat run -- bundle exec puma -C config/puma.rb")],
        next: "put the program heapbeat of a release into bin/, in the build of the deployment",
    },
    Case {
        name: "spring",
        files: &[
            ("pom.xml", "<groupId>org.springframework.boot</groupId>"),
            (
                "Dockerfile",
                "FROM eclipse-temurin:21\nCOPY app.jar /\nCMD [\"java\", \"-jar\", \"/app.jar\"]\n",
            ),
        ],
        recognized: "Spring, which Dockerfile starts: java -jar /app.jar",
        changed: &[(
            "Dockerfile",
            "{IMAGE}\nCMD [\"heapbeat\",\"run\",\"--\",\"java\",\"-jar\",\"/app.jar\"]\n",
        )],
        next: "curl localhost:8080/health shows the memory of the program once it runs",
    },
    Case {
        name: "axum",
        files: &[("Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\naxum = \"0.8\"\n")],
        recognized: "An axum application, which embeds heapbeat instead of running behind it",
        changed: &[],
        next: "cargo add heapbeat",
    },
    Case {
        name: "a Procfile alone",
        files: &[("Procfile", "web: ./api --port $PORT\n")],
        recognized: "A program that Procfile starts: ./api --port $PORT",
        changed: &[("Procfile", "web: bin/heapbeat run -- sh -c 'exec ./api --port $PORT'\n")],
        next: "put the program heapbeat of a release into bin/, in the build of the deployment",
    },
    Case {
        name: "a Dockerfile with a shell",
        files: &[
            ("requirements.txt", "django"),
            ("Dockerfile", "FROM python\nCMD gunicorn site.wsgi -b :$PORT"),
        ],
        recognized: "Django, which Dockerfile starts: gunicorn site.wsgi -b :$PORT",
        changed: &[("Dockerfile", "CMD exec heapbeat run -- sh -c 'exec gunicorn site.wsgi -b :$PORT'")],
        next: "curl localhost:8080/health shows the memory of the program once it runs",
    },
    Case {
        name: "a Dockerfile with a list that starts a shell",
        files: &[
            ("package.json", EXPRESS),
            ("Dockerfile", "FROM node\nCMD [\"sh\", \"-c\", \"migrate && node server.js\"]\n"),
        ],
        recognized: "Express, which Dockerfile starts: sh -c migrate && node server.js",
        changed: &[(
            "Dockerfile",
            "CMD [\"heapbeat\",\"run\",\"--\",\"sh\",\"-c\",\"migrate && node server.js\"]\n",
        )],
        next: "curl localhost:8080/health shows the memory of the program once it runs",
    },
    Case {
        name: "a Dockerfile with an entry point",
        files: &[("Dockerfile", "FROM node\nENTRYPOINT [\"node\"]\nCMD [\"server.js\"]\n")],
        recognized: "A program that Dockerfile starts: node",
        changed: &[(
            "Dockerfile",
            "ENTRYPOINT [\"heapbeat\",\"run\",\"--\",\"node\"]\nCMD [\"server.js\"]\n",
        )],
        next: "curl localhost:8080/health shows the memory of the program once it runs",
    },
    Case {
        name: "a port of its own",
        files: &[(
            "package.json",
            r#"{"scripts":{"start":"next start -p 3000"},"dependencies":{"next":"16"}}"#,
        )],
        recognized: "Next.js, which package.json starts: next start -p 3000",
        changed: &[("package.json", r#""exec heapbeat run --upstream=3000 -- next start -p 3000""#)],
        next: "npm install heapbeat",
    },
    Case {
        name: "a list of YAML with two services",
        files: &[
            ("requirements.txt", "flask\nheapbeat\n"),
            ("render.yaml", "services:\n  - startCommand: flask run\n  - startCommand: python w.py\n"),
        ],
        recognized: "Flask, which render.yaml starts: flask run",
        changed: &[(
            "render.yaml",
            "- startCommand: heapbeat run -- flask run\n  - startCommand: python w.py\n",
        )],
        next: "pip install -r requirements.txt",
    },
    Case {
        name: "a start command of several lines",
        files: &[("render.yaml", "services:\n  - startCommand: |\n      node a.js\n")],
        recognized: "A start command that is not changed here, as startCommand: of render.yaml has more than one line, or an anchor: |",
        changed: &[],
        next: "put the program heapbeat of a release into bin/, in the build of the deployment",
    },
    Case {
        name: "guarded already",
        files: &[("package.json", r#"{"scripts":{"start":"exec heapbeat run -- node a.js"}}"#)],
        recognized: "Node, which package.json starts: exec heapbeat run -- node a.js\nIt is guarded already",
        changed: &[],
        next: "",
    },
    Case {
        name: "python without a start command",
        files: &[("requirements.txt", "flask\n")],
        recognized: "Flask, without a start command in a file of this folder",
        changed: &[],
        next: "pip install -r requirements.txt",
    },
    Case {
        name: "unknown",
        files: &[],
        recognized: "Nothing that is known: there is no start command in a file of this folder",
        changed: &[],
        next: "put the program heapbeat of a release into bin/, in the build of the deployment",
    },
];

#[test]
fn projects_and_what_is_proposed() {
    for case in CASES {
        let project = Project::of(case.files);
        let proposal = Proposal::of(&project);
        assert_eq!(proposal.recognized, case.recognized, "{}", case.name);
        let files: Vec<&str> = proposal.edits.iter().map(|edit| edit.file).collect();
        let expected: Vec<&str> = case.changed.iter().map(|(file, _)| *file).collect();
        assert_eq!(files, expected, "{}", case.name);
        for (edit, (file, part)) in proposal.edits.iter().zip(case.changed) {
            let text = edit.apply(project.text(file).unwrap());
            assert!(text.contains(&part.replace("{IMAGE}", &image_line())), "{}: {text}", case.name);
        }
        assert_eq!(proposal.next.first().map_or("", String::as_str), case.next, "{}", case.name);
    }
}

#[test]
fn the_image_is_that_of_this_repository() {
    let line = image_line();
    assert!(line.starts_with("COPY --from=ghcr.io/"), "{line}");
    assert!(line.ends_with("/heapbeat:run /heapbeat /usr/local/bin/heapbeat"), "{line}");
}

#[test]
fn what_was_changed_is_not_changed_again() {
    for case in CASES {
        let project = Project::of(case.files);
        let mut files = case.files.to_vec();
        let edits = Proposal::of(&project).edits;
        let texts: Vec<(&str, String)> =
            edits.iter().map(|edit| (edit.file, edit.apply(project.text(edit.file).unwrap()))).collect();
        for (file, text) in &mut files {
            if let Some((_, new)) = texts.iter().find(|(changed, _)| changed == file) {
                *text = new;
            }
        }
        assert_eq!(Proposal::of(&Project::of(&files)).edits, [], "{}", case.name);
    }
}

#[test]
fn what_is_there_already_is_not_proposed_again() {
    let proposal = |files: &[(&'static str, &str)]| Proposal::of(&Project::of(files)).next.join("\n");
    let with = EXPRESS.replace("\"express\": \"^5\"", "\"express\": \"^5\", \"heapbeat\": \"^0.1.0\"");
    assert!(proposal(&[("package.json", EXPRESS)]).contains("npm install heapbeat"));
    assert!(!proposal(&[("package.json", &with)]).contains("npm install"));
    let service = "services:\n  - type: web\n    startCommand: node server.js\n";
    let checked = format!("{service}    healthCheckPath: /health\n");
    let next = |render: &str| proposal(&[("package.json", EXPRESS), ("render.yaml", render)]);
    assert!(next(service).contains("healthCheckPath: /health"));
    assert!(!next(&checked).contains("healthCheckPath"));
}

#[test]
fn a_file_with_several_lines_in_a_command_says_nothing_in_the_name_of_heapbeat() {
    let files = [("package.json", r#"{"scripts":{"start":"node a.js\n\nnext\n  curl x | sh\u001b[2J"}}"#)];
    let proposal = Proposal::of(&Project::of(&files));
    assert_eq!(proposal.recognized, "Node, which package.json starts: node a.js  next   curl x | sh [2J");
    let files = [("render.yaml", "startCommand: 'a\u{1b}[2J'' b'\n")];
    let proposal = Proposal::of(&Project::of(&files));
    assert!(
        proposal.recognized.ends_with("has a string with escapes: 'a [2J'' b'"),
        "{}",
        proposal.recognized
    );
    let long = format!("web: {}\n", "x".repeat(1 << 20));
    assert!(Proposal::of(&Project::of(&[("Procfile", &long)])).recognized.len() < 400);
}

#[test]
fn the_script_is_changed_where_it_stands_and_not_where_its_text_stands_as_well() {
    let text = r#"{"files":["scripts"],"config":{"scripts":{"start":"node a.js"}},"scripts":{"x":"start","y":"node a.js","start":"node a.js"}}"#;
    let project = Project::of(&[("package.json", text)]);
    let changed = Proposal::of(&project).edits[0].apply(text);
    let expected = text.replace(
        r#""y":"node a.js","start":"node a.js""#,
        r#""y":"node a.js","start":"exec heapbeat run -- node a.js""#,
    );
    assert_eq!(changed, expected);

    let escaped = r#"{"scripts":{"start":"node \u0061.js"}}"#;
    let project = Project::of(&[("package.json", escaped)]);
    let changed = Proposal::of(&project).edits[0].apply(escaped);
    assert_eq!(changed, r#"{"scripts":{"start":"exec heapbeat run -- node a.js"}}"#);

    for (text, reason) in [
        (r#"{"scripts":{"start":"a"},"scripts":{"start":"b"}}"#, "duplicate field `scripts`"),
        (r#"{"scripts":["start"]}"#, "invalid type"),
    ] {
        let proposal = Proposal::of(&Project::of(&[("package.json", text)]));
        assert!(proposal.edits.is_empty() && proposal.recognized.contains(reason), "{}", proposal.recognized);
    }
}

#[test]
fn a_scalar_of_yaml_that_is_not_one_plain_line_keeps_its_meaning() {
    let cases = [
        ("  startCommand: node $A\n    --x $B\n", None),
        ("- startCommand:\n    node a.js\n", None),
        ("  startCommand: 'echo ''a'''\n", None),
        ("  startCommand: node a.js\n    # a comment\n", Some("bin/heapbeat run -- node a.js")),
        ("- startCommand: node a.js\n  name: x\n", Some("bin/heapbeat run -- node a.js")),
        ("  startCommand: \"node a.js x:\"\n", Some("\"bin/heapbeat run -- node a.js x:\"")),
        ("  startCommand: 'a\t#b'\n", Some(r#""bin/heapbeat run -- a\t#b""#)),
    ];
    for (text, expected) in cases {
        let proposal = Proposal::of(&Project::of(&[("render.yaml", text)]));
        assert_eq!(proposal.edits.first().map(|edit| edit.new.as_str()), expected, "{text}");
    }
    let procfile = "web: \"./my app\" \"x\"\n";
    let edits = Proposal::of(&Project::of(&[("Procfile", procfile)])).edits;
    assert_eq!(edits[0].apply(procfile), "web: bin/heapbeat run -- \"./my app\" \"x\"\n");
}

#[test]
fn a_list_of_packages_with_hashes_gets_none_without() {
    let hashed = "flask==3.1.0 \\\n    --hash=sha256:d9e8\n";
    let proposal =
        Proposal::of(&Project::of(&[("requirements.txt", hashed), ("Procfile", "web: flask run\n")]));
    assert_eq!(proposal.edits.iter().map(|edit| edit.file).collect::<Vec<_>>(), ["Procfile"]);
    assert!(proposal.next[0].contains("with its hashes"), "{:?}", proposal.next);
}

#[test]
fn what_is_done_before_the_program_is_not_done_with_each_replacement() {
    let command = "npm run build && node a.js";
    let guarded = "npm run build && exec heapbeat run -- node a.js";
    let cases = [
        ("Dockerfile", format!("FROM node\nCMD {command}\n"), format!("CMD {guarded}\n")),
        (
            "package.json",
            format!(r#"{{"scripts":{{"start":"{command}"}}}}"#),
            format!(r#""start":"{guarded}""#),
        ),
    ];
    for (file, text, expected) in cases {
        let proposal = Proposal::of(&Project::of(&[(file, &text)]));
        let changed = proposal.edits[0].apply(&text);
        assert!(changed.contains(&expected), "{changed}");
    }
}
