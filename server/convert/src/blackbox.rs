//! Reads the modules of Prometheus's blackbox exporter and the scrape configurations that use them.

mod module;

use std::collections::BTreeMap;

use crate::builder::MonitorBuilder;
use crate::cursor::{Cursor, DurationValue, Ledger};
use crate::names::make_ids;
use crate::note::{Note, NoteKind};
use crate::tree::{Budget, Node};
use crate::yaml::parse_documents;
use crate::{ConvertError, InputFile, Options, Reading};

/// Prometheus's default of `scrape_interval` and `scrape_timeout`.
const DEFAULTS: (&str, &str) = ("1m", "10s");

/// A document and what was read of it.
struct Document {
    file: String,
    root: Node,
    ledger: Ledger,
}

/// A target of a job.
struct Target<'t> {
    cursor: Cursor<'t>,
    file: &'t str,
    address: String,
    job: String,
    module: String,
    interval: Option<DurationValue>,
    timeout: Option<DurationValue>,
}

/// Reads the files: one has `modules`, another one `scrape_configs`.
pub(crate) fn read(files: &[InputFile], options: &Options) -> Result<Reading, ConvertError> {
    let mut documents = Vec::new();
    let mut budget = Budget::default();
    for file in files {
        let refused = |reason: String| ConvertError { file: file.name.clone(), reason };
        for mut root in
            parse_documents(&file.text, &mut budget).map_err(|error| refused(error.to_string()))?
        {
            let ledger = Ledger::of(&mut root);
            documents.push(Document { file: file.name.clone(), root, ledger });
        }
    }
    let roots: Vec<_> =
        documents.iter().map(|document| (document, Cursor::new(&document.root, &document.ledger))).collect();
    let mut reading = Reading::default();
    let mut modules = BTreeMap::new();
    let mut targets = Vec::new();
    for (document, root) in &roots {
        for (name, module) in root.get("modules").iter().flat_map(Cursor::entries) {
            modules.insert(name.to_owned(), module);
        }
        read_jobs(root, document, &mut targets, &mut reading);
    }
    if targets.is_empty() {
        let file = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let reason = "there are no targets; give the file of Prometheus with `scrape_configs` whose `metrics_path` is /probe, and that of the exporter with `modules`";
        return Err(ConvertError { file, reason: reason.to_owned() });
    }
    let ids = make_ids(
        &targets.iter().map(|target| vec![target.job.clone(), target.address.clone()]).collect::<Vec<_>>(),
    );
    for (target, id) in targets.iter().zip(&ids) {
        let place = (target.file.to_owned(), target.cursor.line());
        let mut builder = MonitorBuilder::new(id, &target.address, &target.job, place);
        match modules.get(&target.module) {
            Some(module) => module::convert(&target.address, module, &mut builder),
            None => builder.leave_out(format!("its module {} is not in the input", target.module)),
        }
        if let Some(interval) = target.interval {
            builder.set_interval(interval);
        }
        if let Some(timeout) = target.timeout.filter(|_| builder.setting("timeout").is_none()) {
            builder.set_timeout(timeout);
        }
        builder.set("alerts", serde_json::json!([]));
        reading.monitors.push(builder.finish(options.keep_private));
    }
    reading.general.push(Note::general(
        NoteKind::Changed,
        "alerts are rules of Prometheus, which were not converted: nobody is told; add the ids of channels to `alerts`",
    ));
    for (document, root) in &roots {
        reading.note_unread(root, &document.file);
    }
    Ok(reading)
}

fn read_jobs<'t>(
    root: &Cursor<'t>,
    document: &'t Document,
    targets: &mut Vec<Target<'t>>,
    reading: &mut Reading,
) {
    let global = root.get("global");
    let default = |key: &str| global.as_ref().and_then(|global| global.duration(key));
    let (interval, timeout) = (default("scrape_interval"), default("scrape_timeout"));
    for key in ["global", "rule_files", "alerting", "remote_write", "remote_read", "storage", "tracing"] {
        if let Some(setting) = root.get(key) {
            setting.mark_whole_read();
            let text = format!("{key} is about Prometheus itself");
            reading.general.push(Note::at(NoteKind::Dropped, &document.file, setting.line(), text));
        }
    }
    for job in root.list("scrape_configs") {
        let name = job.text("job_name").unwrap_or_default();
        let mut note = |kind, text: String| {
            reading.general.push(Note::at(kind, &document.file, job.line(), text));
        };
        if job.text("metrics_path") != Some("/probe") {
            job.mark_whole_read();
            note(NoteKind::Dropped, format!("the job {name} scrapes metrics, and does not probe"));
            continue;
        }
        let module = job
            .get("params")
            .and_then(|params| params.list("module").first().and_then(Cursor::as_text).map(str::to_owned));
        let own = |key: &str, inherited| job.duration(key).or(inherited);
        let fallback =
            |text: &str| heapbeat_monitors::condition::parse_go_duration(text).map(DurationValue::Nanos);
        let interval = own("scrape_interval", interval).or_else(|| fallback(DEFAULTS.0));
        let timeout = own("scrape_timeout", timeout).or_else(|| fallback(DEFAULTS.1));
        // How the address becomes the parameter `target`; it is the same in every configuration that probes.
        job.mark_read("relabel_configs");
        for group in job.list("static_configs") {
            let labels = group.get("labels");
            let label = labels
                .as_ref()
                .and_then(|labels| labels.text("__param_module").or_else(|| labels.text("module")));
            let module =
                label.map(str::to_owned).or_else(|| module.clone()).unwrap_or_else(|| "http_2xx".to_owned());
            if let Some(labels) = &labels {
                labels.mark_whole_read();
                note(NoteKind::Dropped, format!("labels of the job {name} are labels of metrics"));
            }
            for cursor in group.list("targets") {
                let Some(address) = cursor.as_text().map(str::to_owned) else { continue };
                targets.push(Target {
                    cursor,
                    file: &document.file,
                    address,
                    job: name.to_owned(),
                    module: module.clone(),
                    interval,
                    timeout,
                });
            }
        }
        for discovery in job.entries().into_iter().filter(|(key, _)| key.ends_with("_sd_configs")) {
            discovery.1.mark_whole_read();
            note(
                NoteKind::Changed,
                format!("the job {name} finds targets by {}, which were not converted", discovery.0),
            );
        }
    }
}
