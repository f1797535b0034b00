### Texts of the status page. A message that is missing in another language fails a test (edge/src/web/page/messages.rs).
### Arguments are finished text: instants, durations and shares are formatted by edge/src/web/page/renderer.rs. The messages that begin
### with "statement-" belong to the codes of shared/src/statement/catalog.rs.

## Numbers and units

decimal-separator = .
unit-s = s
unit-min = min
unit-h = h
unit-d = d

## Around every page

skip-link = Skip to main content
feed-title = Incidents and maintenance
calendar = Calendar
links = Links
subscribe = Subscribe to updates
view-json = View as JSON
language = Language
theme-auto = System theme
theme-light = Light theme
theme-dark = Dark theme
push-enable = Enable notifications
push-disable = Turn off notifications
push-failed = Notifications are not available in this browser
push-enabled = Notifications are enabled in this browser
uptime-note = Uptime is the share of monitored time in which the service was operational or degraded. It excludes time without data; the monitored share of the period is shown next to each value.

## The headline

headline-empty = No monitors configured
headline-up = { $total ->
    [1] { $name } is operational
   *[other] All systems operational
}
headline-down = { $name } is down
headline-partial-outage = Partial outage: { $count } of { $total } services are down
headline-major-outage = Major outage: all { $total } services are down
headline-degraded = Degraded performance: { $name }
headline-degraded-some = Degraded performance: { $count } of { $total } services
headline-degraded-all = Degraded performance: all { $total } services
headline-starting = { $name } is starting
headline-starting-some = { $count } of { $total } services are starting
headline-starting-all = All { $total } services are starting
headline-maintenance = { $name } is under maintenance
headline-maintenance-some = { $count } of { $total } services are under maintenance
headline-maintenance-all = All { $total } services are under maintenance
headline-waiting = Waiting for the first check
headline-interrupted = Monitoring is interrupted: no data since { $time }
headline-no-data-some = { $count } of { $total } services operational, no data for the others
headline-unavailable = Status is temporarily unavailable
headline-not-found = Page not found
not-found-help = There is no page at this address. The service or incident may have been removed.

## The page of the owner

headline-owner = Alert channels
owner-help = For the owner of this page: whether each alert channel accepts alerts.
owner-needs-script = This page needs JavaScript. The API has the same: GET /api/v1/admin/channels.
owner-token = Admin token (ADMIN_TOKEN)
owner-show = Show
owner-refused = The token is wrong.
owner-channels = Channels
owner-none = No alert channels are configured.
owner-working = no failures
owner-failing = fails
owner-refusing = refuses alerts
owner-unusable = cannot be used
owner-since = since
owner-waiting = alerts that wait
owner-next = next attempt
owner-test = Send a test message to each channel
owner-tested = test message
owner-problems = Problems of the settings
status-page-link = Go to the status page
since = since { $time }
since-for = Since { $time } ({ $duration }).
last-check = Last check: { $time }.
first-check = The first check runs within one minute.
history-unavailable = Monitoring continues. Please reload the page in a moment.
stale = The current status is temporarily unavailable. This is the status from { $duration } ago.

## The status page

active-incidents = Active incidents
scheduled-maintenance = Scheduled maintenance
past-incidents = Past incidents
services = Services
filter-services = Filter by name
empty-title = Add your first monitor
empty-help = Add a monitor to wrangler.toml and deploy again:
status = Status
state-up = Operational
state-degraded = Degraded performance
state-down = Major outage
day-down = Outage
state-waking = Starting
state-maintenance = Under maintenance
state-unobserved = No data
bars-label = Last 90 days: { $good ->
    [one] { $good } day
   *[other] { $good } days
} without incidents, { $trouble } with incidents, { $unobserved } without data
ninety-days-ago = 90 days ago
today = Today
no-data = No data
monitored = { $percent } monitored
monitored-since = { $percent } monitored since { $time }
uptime = Uptime
coverage = Monitored
latency = Response time
memory = Memory
running-for = Running for
of-limit = of { $limit } MB
restart-count = { $count ->
    [one] { $count } restart
   *[other] { $count } restarts
}

## Incidents

severity-warning = Warning
severity-degraded = Degraded performance
severity-crashed = Crashed
severity-down = Outage
investigating = Investigating
acknowledged = Acknowledged
resolved = Resolved
caused-by = caused by { $monitor }
evidence = Evidence
timeline = Timeline
memory-around = Memory before and during the incident
incidents = Incidents
no-incidents = No incidents reported.

## The page of a service

restart = Restart
restarts-in-chart = Restarts in this chart
probably = probably { $exit }
last-exit = Last exit ({ $time }): { $exit }
evidence-and = { $before }; { $next }
sentence = { $text }.
exit-stop = stopped on request
exit-deploy = replaced by another version
exit-recycle = recycled by heapbeat
exit-oom-kill = out of memory: killed by the kernel (OOM)
exit-out-of-memory = out of memory: ended by its runtime
exit-panic = panic
exit-crash = crash
exit-hang = hung and was stopped
exit-platform = disappeared with its host
exit-finish = finished by itself
exit-spin-down = suspended while idle
exit-unknown = unknown cause
forecast = Memory grows by { $rate } MB per hour and is expected to reach its limit { $time } (between { $earliest } and { $latest }).
version-comparison = At the same age, this version uses { $now } MB and the previous version used { $before } MB ({ $age } after start).
top-route = Most of the growth: { $route }.
requests = Requests
requests-now = In flight: { $now }, waiting: { $waiting }, failed: { $failed }.
route = Route
mean-time = Mean time
incident-days = Days with incidents
days-table = View all days as a table
day = Day
time-range = Time range
time-utc = Time (UTC)
data-table = View data as a table
rss = Resident
heap-used = Heap used
heap-used-note = held by the program
heap-total = Heap total
heap-total-note = pages allocated for it
external = External
external-note = outside the heap
pressure = Memory pressure
pressure-calm = normal
pressure-alert = elevated
pressure-purge = high
pressure-recycle = very high
pressure-shed = critical
memory-caption = Memory in MB
minimum = Minimum
median = Median
percentile-95 = 95th percentile
latency-caption = Response time in milliseconds
regions = Status by region
region-wnam = Western North America
region-enam = Eastern North America
region-sam = South America
region-weur = Western Europe
region-eeur = Eastern Europe
region-apac = Asia-Pacific
region-oc = Oceania
region-afr = Africa
region-me = Middle East

## Why a check failed

statement-dns-failed = DNS lookup failed
statement-connection-refused = connection refused
statement-network-unreachable = network unreachable
statement-tls-failed = TLS connection failed
statement-connect-timeout = connection timed out
statement-response-timeout = response timed out
statement-body-timeout = response timed out before it was complete
statement-connection-lost = connection lost before the response was complete
statement-not-http = response is not HTTP
statement-redirect-loop = redirect loop
statement-too-many-redirects = too many redirects
statement-invalid-redirect = redirect to something other than an http or https address
statement-private-address = address is private
statement-http-status = HTTP status { $status }
statement-not-json = response is not JSON
statement-not-health = response is JSON, but not a health report
statement-response-too-large = response too large
statement-body-undecodable = response body is encoded as { $encoding }, which cannot be decoded
statement-body-encoding-unknown = response body has an encoding that cannot be decoded
statement-body-charset-unknown = response body has a character set that cannot be decoded
statement-response-slow = response took { $duration_ms } ms
statement-condition-failed = condition failed: { $condition }
statement-connection-failed = connection failed
statement-signature-rejected = signature rejected by the server: wrong secret, or clocks more than { $clock_tolerance_s } s apart
statement-response-unsigned = response not signed: it came from a cache or not from the server
statement-response-signature-invalid = response signature invalid: outdated or altered response, or wrong secret
statement-report-unreadable = signed report that this version cannot read
statement-heartbeat-missed = no heartbeat in time
statement-job-timed-out = job not finished in time
statement-job-failed = job reported a failure
statement-job-exit-code = job failed with exit code { $exit_code }

## Why there is no data

statement-skipped-budget = not checked: request limit reached
statement-skipped-time = not checked: other checks took too long
statement-skipped-platform = not checked: the check could not run
statement-skipped-edge = no data: monitoring is interrupted, as all checks failed at the same time
statement-skipped-no-heartbeat = no heartbeat received yet
statement-skipped-configuration = not checked: the check is not configured completely
statement-skipped-own-zone = not checked: Cloudflare answered at once with { $status } in the target’s place, as for a zone of the same account
statement-skipped-forbidden = not checked: the platform does not let a Worker connect to this address (Cloudflare’s own, or private)
statement-no-recent-data = no recent data
statement-under-maintenance = scheduled maintenance in progress
statement-flapping = flapping: the state changes repeatedly

## What caused an incident

statement-cause-unknown = cause unknown
statement-memory-growing = memory is growing towards its limit
statement-memory-high = memory is close to its limit
statement-out-of-memory = out of memory
statement-instance-stop = instance was stopped on request
statement-instance-deploy = instance was replaced by another version
statement-instance-recycle = instance was recycled by heapbeat
statement-instance-oom-kill = instance ran out of memory and was killed by the kernel (OOM)
statement-instance-out-of-memory = instance ran out of memory and was ended by its runtime
statement-instance-panic = instance panicked
statement-instance-crash = instance crashed
statement-instance-hang = instance hung and was stopped
statement-instance-platform = instance disappeared with its host
statement-instance-finish = instance finished by itself
statement-instance-spin-down = instance was suspended while idle
statement-instance-unknown = instance exited for an unknown reason

## What happened during an incident

statement-instance-started = instance started
statement-pressure-changed = memory pressure changed from { $from_pressure } to { $to_pressure } at { $memory_bytes }
statement-purged = purge reduced memory from { $before_bytes } to { $after_bytes } in { $duration_ms } ms
statement-replacement-requested = the guard requested a replacement worker: { $reason }
statement-shut-down = the guard shut the instance down
statement-requests-rejected = { $count ->
    [one] { $count } request
   *[other] { $count } requests
} rejected within { $duration_s } s
statement-request-panicked = a request panicked: { $message }
statement-limit-changed = memory limit changed from { $before_bytes } to { $after_bytes }
statement-function-growing = memory held by { $function } grew by { $growth_bytes } within { $duration_s } s
statement-unknown-event = event of a newer version of heapbeat
statement-stop-requested = shutdown requested by { $by }
statement-recurred = the problem recurred
statement-recovered = all checks pass again
statement-improved-to-degraded = improved: degraded performance
statement-improved-to-warning = improved: all checks pass, but memory is running out
statement-other-instance = another instance responds
statement-note = note: { $note }
statement-acknowledged = acknowledged
statement-resolved = resolved manually
statement-maintenance-began = scheduled maintenance began
statement-monitor-removed = monitor removed from the configuration
statement-incident-superseded = continued by a later incident
statement-job-rescheduled = job is new or has another schedule, and has not reported since
statement-limit-forecast = memory is expected to reach { $limit_bytes } between { $earliest } and { $latest }

## Evidence of how an instance exited

statement-exited-with-code = it exited with code { $exit_code }
statement-killed-by-signal = it was terminated by { $signal }
statement-memory-when-last-seen = memory was at { $percent } % of the limit when last seen
statement-unresponsive = it gave no sign of life and was killed for that
statement-panic-recorded = it recorded a panic: { $message }
statement-cgroup-oom-count = the OOM kill count of its control group rose by { $count }
statement-machine-oom-count = the OOM kill count of the machine rose by { $count }
statement-stop-timed-out = it did not stop in time and was killed
statement-killed-at-once = it was killed without waiting for it to stop
statement-oom-count-unreadable = no OOM kill count can be read here
statement-no-oom-kill = the kernel counted no OOM kill
statement-requests-in-flight = requests in flight when it ended: { $requests }
statement-stop-recorded = it recorded that it was asked to stop: { $by }
statement-stopped-early = it was asked to stop before it could record that
statement-exit-unexplained = no request to stop is known
statement-exit-unobserved = no process observed its exit
statement-exit-completed = it recorded an orderly shutdown
statement-host-rebooted = the host was restarted since its last sign of life
statement-host-not-rebooted = the host has been up all the time
statement-supervisor-stop = the supervisor asked it to stop
statement-supervisor-recycle = the supervisor asked it to hand over to a new instance
statement-version-followed = version { $version } followed
statement-version-changed = version { $from } was followed by { $to }
statement-guard-replaced = the guard replaced it: { $reason }
statement-guard-shut-down = the guard shut it down because memory ran out
statement-last-sample = last sample: { $memory_bytes } of { $limit_bytes }, memory pressure { $pressure }
statement-no-stop-announced = it did not announce a shutdown
statement-hang-report = last report before it hung: { $report }
statement-runtime-out-of-memory = its runtime reported: { $message }
statement-heap-after-last-collection = its heap held { $heap_bytes } after the last collection
statement-heap-when-last-seen = its heap held { $heap_bytes } when last seen; the runtime gives up at { $limit_bytes }
statement-heap-limited-by = its heap was limited by { $setting }
statement-live-memory-grew = its live memory grew most in { $function }
statement-process-oom-killed = the kernel killed its process { $pid } ({ $name }) because memory ran out; the program itself still runs
statement-process-out-of-memory = the runtime of its process { $pid } ({ $name }) ran out of memory and ended it; the program itself still runs

## Notices about the monitoring itself

statement-monitoring-interrupted = Monitoring has been interrupted since { $since_time }: all checks failed at the same time, so no results are recorded.
statement-hub-unresponsive = No data for { $count ->
    [one] { $count } monitor
   *[other] { $count } monitors
}: the hub that checks them does not respond.
statement-unknown-hub-unresponsive = No data for some monitors: the hub that checks them does not respond.
statement-unwatched-requests = No data for { $count ->
    [one] { $count } monitor
   *[other] { $count } monitors
} since { $since_time }: their checks need more requests than one round may send.
statement-unwatched-time = No data for { $count ->
    [one] { $count } monitor
   *[other] { $count } monitors
} since { $since_time }: other checks take too long.
statement-unwatched-configuration = No data for { $count ->
    [one] { $count } monitor
   *[other] { $count } monitors
} since { $since_time }: their checks are not configured completely.
statement-unwatched-platform = No data for { $count ->
    [one] { $count } monitor
   *[other] { $count } monitors
} since { $since_time }: their checks could not run.
statement-unwatched-no-tick = No data for { $count ->
    [one] { $count } monitor
   *[other] { $count } monitors
} since { $since_time }: the scheduled checks did not run.
statement-interval-raised = The daily quota is nearly used: until midnight UTC each monitor is checked at most every { $minutes } min.
