## Numbers and units

decimal-separator = ,
unit-s = s
unit-min = min
unit-h = h
unit-d = d

## Around every page

skip-link = Zum Inhalt springen
feed-title = Störungen und Wartungen
calendar = Kalender
links = Links
subscribe = Aktualisierungen abonnieren
view-json = Als JSON anzeigen
language = Sprache
theme-auto = Design: System
theme-light = Design: Hell
theme-dark = Design: Dunkel
push-enable = Benachrichtigungen aktivieren
push-disable = Benachrichtigungen deaktivieren
push-failed = Dieser Browser unterstützt keine Benachrichtigungen
push-enabled = Benachrichtigungen sind in diesem Browser aktiviert
uptime-note = Verfügbarkeit ist der Anteil der überwachten Zeit, in der der Dienst verfügbar oder nur eingeschränkt war. Zeit ohne Daten zählt nicht mit; neben jedem Wert steht der überwachte Anteil des Zeitraums.

## The headline

headline-empty = Keine Dienste eingerichtet
headline-up = { $total ->
    [1] { $name } ist verfügbar
   *[other] Alle Systeme verfügbar
}
headline-down = { $name } ist ausgefallen
headline-partial-outage = Teilausfall: { $count } von { $total } Diensten sind ausgefallen
headline-major-outage = Größerer Ausfall: alle { $total } Dienste sind ausgefallen
headline-degraded = Eingeschränkte Leistung: { $name }
headline-degraded-some = Eingeschränkte Leistung: { $count } von { $total } Diensten
headline-degraded-all = Eingeschränkte Leistung: alle { $total } Dienste
headline-starting = { $name } startet gerade
headline-starting-some = { $count } von { $total } Diensten starten gerade
headline-starting-all = Alle { $total } Dienste starten gerade
headline-maintenance = { $name } wird gewartet
headline-maintenance-some = { $count } von { $total } Diensten werden gewartet
headline-maintenance-all = Alle { $total } Dienste werden gewartet
headline-waiting = Erste Prüfung steht noch aus
headline-interrupted = Überwachung unterbrochen: keine Daten seit { $time }
headline-no-data-some = { $count } von { $total } Diensten verfügbar, für die übrigen keine Daten
headline-unavailable = Der Status ist vorübergehend nicht abrufbar
headline-not-found = Seite nicht gefunden
not-found-help = Unter dieser Adresse gibt es keine Seite. Der Dienst oder die Störung wurde möglicherweise entfernt.

## The page of the owner

headline-owner = Alarmkanäle
owner-help = Für den Betreiber dieser Seite: ob jeder Alarmkanal Alarme annimmt.
owner-needs-script = Diese Seite braucht JavaScript. Dasselbe liefert die API: GET /api/v1/admin/channels.
owner-token = Admin-Token (ADMIN_TOKEN)
owner-show = Anzeigen
owner-refused = Das Token ist falsch.
owner-channels = Kanäle
owner-none = Es sind keine Alarmkanäle eingerichtet.
owner-working = keine Fehler
owner-failing = schlägt fehl
owner-refusing = lehnt Alarme ab
owner-unusable = nicht verwendbar
owner-since = seit
owner-waiting = wartende Alarme
owner-next = nächster Versuch
owner-test = Testnachricht an jeden Kanal senden
owner-tested = Testnachricht
owner-problems = Probleme der Einstellungen
status-page-link = Zur Statusseite
since = seit { $time }
since-for = Seit { $time } ({ $duration }).
last-check = Letzte Prüfung: { $time }.
first-check = Die erste Prüfung läuft innerhalb einer Minute.
history-unavailable = Die Überwachung läuft weiter. Bitte die Seite gleich noch einmal laden.
stale = Der aktuelle Status ist vorübergehend nicht abrufbar. Dies ist der Stand von vor { $duration }.

## The status page

active-incidents = Aktuelle Störungen
scheduled-maintenance = Geplante Wartung
past-incidents = Vergangene Störungen
services = Dienste
filter-services = Nach Namen filtern
empty-title = Ersten Dienst hinzufügen
empty-help = Tragen Sie einen Dienst in wrangler.toml ein und stellen Sie neu bereit:
status = Status
state-up = Verfügbar
state-degraded = Eingeschränkte Leistung
state-down = Größerer Ausfall
day-down = Ausfall
state-waking = Startet
state-maintenance = In Wartung
state-unobserved = Keine Daten
bars-label = Letzte 90 Tage: { $good ->
    [one] { $good } Tag
   *[other] { $good } Tage
} ohne Störung, { $trouble } mit Störung, { $unobserved } ohne Daten
ninety-days-ago = Vor 90 Tagen
today = Heute
no-data = Keine Daten
monitored = { $percent } überwacht
monitored-since = { $percent } überwacht seit { $time }
uptime = Verfügbarkeit
coverage = Überwacht
latency = Antwortzeit
memory = Speicher
running-for = Läuft seit
of-limit = von { $limit } MB
restart-count = { $count ->
    [one] { $count } Neustart
   *[other] { $count } Neustarts
}

## Incidents

severity-warning = Warnung
severity-degraded = Eingeschränkte Leistung
severity-crashed = Abgestürzt
severity-down = Ausfall
investigating = Wird untersucht
acknowledged = In Bearbeitung
resolved = Behoben
caused-by = verursacht durch { $monitor }
evidence = Belege
timeline = Verlauf
memory-around = Speicher vor und während der Störung
incidents = Störungen
no-incidents = Keine Störungen gemeldet.

## The page of a service

restart = Neustart
restarts-in-chart = Neustarts in diesem Diagramm
probably = vermutlich { $exit }
last-exit = Zuletzt beendet ({ $time }): { $exit }
evidence-and = { $before }; { $next }
sentence = { $text }.
exit-stop = auf Anforderung beendet
exit-deploy = durch eine andere Version ersetzt
exit-recycle = von heapbeat ersetzt
exit-oom-kill = Speicher erschöpft: vom Kernel beendet (OOM)
exit-out-of-memory = Speicher erschöpft: von der Laufzeitumgebung beendet
exit-panic = Panic
exit-crash = Absturz
exit-hang = hing und wurde beendet
exit-platform = mit dem Host verschwunden
exit-finish = von selbst beendet
exit-spin-down = bei Leerlauf angehalten
exit-unknown = Ursache unbekannt
forecast = Der Speicherverbrauch wächst um { $rate } MB pro Stunde und erreicht das Limit voraussichtlich { $time } (zwischen { $earliest } und { $latest }).
version-comparison = Bei gleichem Alter belegt diese Version { $now } MB, die vorherige belegte { $before } MB ({ $age } nach dem Start).
top-route = Größter Anteil am Wachstum: { $route }.
requests = Anfragen
requests-now = In Bearbeitung: { $now }, wartend: { $waiting }, fehlgeschlagen: { $failed }.
route = Route
mean-time = Mittlere Zeit
incident-days = Tage mit Störungen
days-table = Alle Tage als Tabelle anzeigen
day = Tag
time-range = Zeitraum
time-utc = Zeit (UTC)
data-table = Daten als Tabelle anzeigen
rss = Resident
heap-used = Heap belegt
heap-used-note = vom Programm gehalten
heap-total = Heap gesamt
heap-total-note = dafür belegte Seiten
external = Extern
external-note = außerhalb des Heaps
pressure = Speicherdruck
pressure-calm = normal
pressure-alert = erhöht
pressure-purge = hoch
pressure-recycle = sehr hoch
pressure-shed = kritisch
memory-caption = Speicher in MB
minimum = Minimum
median = Median
percentile-95 = 95. Perzentil
latency-caption = Antwortzeit in Millisekunden
regions = Status nach Region
region-wnam = Westliches Nordamerika
region-enam = Östliches Nordamerika
region-sam = Südamerika
region-weur = Westeuropa
region-eeur = Osteuropa
region-apac = Asien-Pazifik
region-oc = Ozeanien
region-afr = Afrika
region-me = Naher Osten

## Why a check failed

statement-dns-failed = DNS-Auflösung fehlgeschlagen
statement-connection-refused = Verbindung abgelehnt
statement-network-unreachable = Netzwerk nicht erreichbar
statement-tls-failed = TLS-Verbindung fehlgeschlagen
statement-connect-timeout = Zeitüberschreitung beim Verbindungsaufbau
statement-response-timeout = Zeitüberschreitung bei der Antwort
statement-body-timeout = Zeitüberschreitung vor dem Ende der Antwort
statement-connection-lost = Verbindung vor dem Ende der Antwort abgebrochen
statement-not-http = Antwort ist kein HTTP
statement-redirect-loop = Weiterleitungsschleife
statement-too-many-redirects = zu viele Weiterleitungen
statement-invalid-redirect = Weiterleitung auf etwas anderes als eine http- oder https-Adresse
statement-private-address = Adresse ist privat
statement-http-status = HTTP-Status { $status }
statement-not-json = Antwort ist kein JSON
statement-not-health = Antwort ist JSON, aber kein Health-Bericht
statement-response-too-large = Antwort zu groß
statement-body-undecodable = Antwort ist als { $encoding } kodiert und kann nicht dekodiert werden
statement-body-encoding-unknown = Kodierung der Antwort kann nicht dekodiert werden
statement-body-charset-unknown = Zeichensatz der Antwort kann nicht dekodiert werden
statement-response-slow = Antwort dauerte { $duration_ms } ms
statement-condition-failed = Bedingung nicht erfüllt: { $condition }
statement-connection-failed = Verbindung fehlgeschlagen
statement-signature-rejected = Server lehnt die Signatur ab: falsches Geheimnis oder Uhren mehr als { $clock_tolerance_s } s auseinander
statement-response-unsigned = Antwort nicht signiert: sie stammt aus einem Cache oder nicht vom Server
statement-response-signature-invalid = Signatur der Antwort ungültig: veraltete oder veränderte Antwort oder falsches Geheimnis
statement-report-unreadable = signierter Bericht, den diese Version nicht lesen kann
statement-heartbeat-missed = kein Heartbeat innerhalb der Frist
statement-job-timed-out = Job nicht rechtzeitig beendet
statement-job-failed = Job hat einen Fehler gemeldet
statement-job-exit-code = Job mit Exit-Code { $exit_code } fehlgeschlagen

## Why there is no data

statement-skipped-budget = nicht geprüft: Anfragelimit erreicht
statement-skipped-time = nicht geprüft: andere Prüfungen dauerten zu lange
statement-skipped-platform = nicht geprüft: die Prüfung konnte nicht ausgeführt werden
statement-skipped-edge = keine Daten: Überwachung unterbrochen, da alle Prüfungen gleichzeitig fehlschlugen
statement-skipped-no-heartbeat = noch kein Heartbeat empfangen
statement-skipped-configuration = nicht geprüft: die Prüfung ist nicht vollständig eingerichtet
statement-skipped-own-zone = nicht geprüft: Cloudflare antwortete sofort mit { $status } anstelle des Ziels, wie bei einer Zone desselben Kontos
statement-skipped-forbidden = nicht geprüft: die Plattform lässt einen Worker diese Adresse nicht erreichen (von Cloudflare selbst oder privat)
statement-no-recent-data = keine aktuellen Daten
statement-under-maintenance = geplante Wartung läuft
statement-flapping = instabil: der Zustand wechselt wiederholt

## What caused an incident

statement-cause-unknown = Ursache unbekannt
statement-memory-growing = Speicherverbrauch wächst auf das Limit zu
statement-memory-high = Speicherverbrauch nahe am Limit
statement-out-of-memory = Speicher erschöpft
statement-instance-stop = Instanz auf Anforderung beendet
statement-instance-deploy = Instanz durch eine andere Version ersetzt
statement-instance-recycle = Instanz von heapbeat ersetzt
statement-instance-oom-kill = Speicher der Instanz erschöpft, vom Kernel beendet (OOM)
statement-instance-out-of-memory = Speicher der Instanz erschöpft, von der Laufzeitumgebung beendet
statement-instance-panic = Panic in der Instanz
statement-instance-crash = Instanz abgestürzt
statement-instance-hang = Instanz hing und wurde beendet
statement-instance-platform = Instanz mit ihrem Host verschwunden
statement-instance-finish = Instanz hat sich selbst beendet
statement-instance-spin-down = Instanz bei Leerlauf angehalten
statement-instance-unknown = Instanz aus unbekanntem Grund beendet

## What happened during an incident

statement-instance-started = Instanz gestartet
statement-pressure-changed = Speicherdruck von { $from_pressure } auf { $to_pressure } bei { $memory_bytes }
statement-purged = Bereinigung senkte den Speicher von { $before_bytes } auf { $after_bytes } in { $duration_ms } ms
statement-replacement-requested = der Wächter forderte einen neuen Worker an: { $reason }
statement-shut-down = der Wächter beendete die Instanz
statement-requests-rejected = { $count ->
    [one] { $count } Anfrage
   *[other] { $count } Anfragen
} innerhalb von { $duration_s } s abgewiesen
statement-request-panicked = Panic bei einer Anfrage: { $message }
statement-limit-changed = Speicherlimit von { $before_bytes } auf { $after_bytes } geändert
statement-function-growing = der Speicher von { $function } wuchs in { $duration_s } s um { $growth_bytes }
statement-unknown-event = Ereignis einer neueren Version von heapbeat
statement-stop-requested = Beenden angefordert durch { $by }
statement-recurred = das Problem trat erneut auf
statement-recovered = alle Prüfungen wieder erfolgreich
statement-improved-to-degraded = besser: eingeschränkte Leistung
statement-improved-to-warning = besser: alle Prüfungen erfolgreich, aber der Speicher wird knapp
statement-other-instance = eine andere Instanz antwortet
statement-note = Notiz: { $note }
statement-acknowledged = in Bearbeitung genommen
statement-resolved = manuell behoben
statement-maintenance-began = geplante Wartung begonnen
statement-monitor-removed = Dienst aus der Konfiguration entfernt
statement-incident-superseded = wird durch eine spätere Störung fortgesetzt
statement-job-rescheduled = der Job ist neu oder hat einen anderen Zeitplan und hat sich seitdem nicht gemeldet
statement-limit-forecast = Speicher erreicht { $limit_bytes } voraussichtlich zwischen { $earliest } und { $latest }

## Evidence of how an instance exited

statement-exited-with-code = mit Exit-Code { $exit_code } beendet
statement-killed-by-signal = durch { $signal } beendet
statement-memory-when-last-seen = Speicher zuletzt bei { $percent } % des Limits
statement-unresponsive = kein Lebenszeichen, deshalb beendet
statement-panic-recorded = Panic aufgezeichnet: { $message }
statement-cgroup-oom-count = OOM-Zähler der Control Group stieg um { $count }
statement-machine-oom-count = OOM-Zähler der Maschine stieg um { $count }
statement-stop-timed-out = nicht rechtzeitig beendet, deshalb abgebrochen
statement-killed-at-once = sofort abgebrochen, ohne auf das Ende zu warten
statement-oom-count-unreadable = hier ist kein OOM-Zähler lesbar
statement-no-oom-kill = der Kernel zählte keinen OOM-Kill
statement-requests-in-flight = laufende Anfragen beim Ende: { $requests }
statement-stop-recorded = Anforderung zum Beenden aufgezeichnet: { $by }
statement-stopped-early = Anforderung zum Beenden, bevor sie aufgezeichnet werden konnte
statement-exit-unexplained = keine Anforderung zum Beenden bekannt
statement-exit-unobserved = kein Prozess hat das Ende beobachtet
statement-exit-completed = ordnungsgemäßes Ende aufgezeichnet
statement-host-rebooted = der Host wurde seit dem letzten Lebenszeichen neu gestartet
statement-host-not-rebooted = der Host lief die ganze Zeit
statement-supervisor-stop = der Supervisor hatte das Beenden angefordert
statement-supervisor-recycle = der Supervisor hatte die Ablösung durch eine neue Instanz angefordert
statement-version-followed = Version { $version } folgte
statement-version-changed = auf Version { $from } folgte { $to }
statement-guard-replaced = der Wächter ersetzte sie: { $reason }
statement-guard-shut-down = der Wächter beendete sie wegen Speichermangels
statement-last-sample = letzter Messwert: { $memory_bytes } von { $limit_bytes }, Speicherdruck { $pressure }
statement-no-stop-announced = kein Beenden angekündigt
statement-hang-report = letzter Bericht vor dem Hängen: { $report }
statement-runtime-out-of-memory = Meldung der Laufzeitumgebung: { $message }
statement-heap-after-last-collection = Heap nach der letzten Garbage Collection: { $heap_bytes }
statement-heap-when-last-seen = Heap zuletzt { $heap_bytes }; die Laufzeitumgebung gibt bei { $limit_bytes } auf
statement-heap-limited-by = Heap begrenzt durch { $setting }
statement-live-memory-grew = ihr belegter Speicher wuchs am meisten in { $function }
statement-process-oom-killed = der Kernel beendete ihren Prozess { $pid } ({ $name }), weil der Speicher erschöpft war; das Programm selbst läuft weiter
statement-process-out-of-memory = die Laufzeitumgebung ihres Prozesses { $pid } ({ $name }) hatte keinen Speicher mehr und beendete ihn; das Programm selbst läuft weiter

## Notices about the monitoring itself

statement-monitoring-interrupted = Überwachung seit { $since_time } unterbrochen: alle Prüfungen schlugen gleichzeitig fehl, daher werden keine Ergebnisse aufgezeichnet.
statement-hub-unresponsive = Keine Daten zu { $count ->
    [one] { $count } Dienst
   *[other] { $count } Diensten
}: der zuständige Hub antwortet nicht.
statement-unknown-hub-unresponsive = Keine Daten zu einigen Diensten: der zuständige Hub antwortet nicht.
statement-unwatched-requests = Keine Daten zu { $count ->
    [one] { $count } Dienst
   *[other] { $count } Diensten
} seit { $since_time }: die Prüfungen brauchen mehr Anfragen, als ein Durchgang senden darf.
statement-unwatched-time = Keine Daten zu { $count ->
    [one] { $count } Dienst
   *[other] { $count } Diensten
} seit { $since_time }: andere Prüfungen dauern zu lange.
statement-unwatched-configuration = Keine Daten zu { $count ->
    [one] { $count } Dienst
   *[other] { $count } Diensten
} seit { $since_time }: die Prüfung ist nicht vollständig eingerichtet.
statement-unwatched-platform = Keine Daten zu { $count ->
    [one] { $count } Dienst
   *[other] { $count } Diensten
} seit { $since_time }: die Prüfungen konnten nicht ausgeführt werden.
statement-unwatched-no-tick = Keine Daten zu { $count ->
    [one] { $count } Dienst
   *[other] { $count } Diensten
} seit { $since_time }: die geplanten Prüfungen fanden nicht statt.
statement-interval-raised = Das Tageskontingent ist fast aufgebraucht: bis Mitternacht UTC wird jeder Dienst höchstens alle { $minutes } min geprüft.
