## Numbers and units

decimal-separator = ,
unit-s = s
unit-min = min
unit-h = h
unit-d = j

## Around every page

skip-link = Aller au contenu principal
feed-title = Incidents et maintenances
calendar = Calendrier
links = Liens
subscribe = S’abonner aux mises à jour
view-json = Afficher en JSON
language = Langue
theme-auto = Thème du système
theme-light = Thème clair
theme-dark = Thème sombre
push-enable = Activer les notifications
push-disable = Désactiver les notifications
push-failed = Ce navigateur ne prend pas en charge les notifications
push-enabled = Les notifications sont activées dans ce navigateur
uptime-note = La disponibilité est la part du temps surveillé pendant laquelle le service était opérationnel ou dégradé. Elle exclut le temps sans données ; la part surveillée de la période figure à côté de chaque valeur.

## The headline

headline-empty = Aucun service configuré
headline-up = { $total ->
    [1] { $name } est opérationnel
   *[other] Tous les systèmes sont opérationnels
}
headline-down = { $name } est en panne
headline-partial-outage = Panne partielle : { $count } services sur { $total } sont en panne
headline-major-outage = Panne majeure : les { $total } services sont en panne
headline-degraded = Performances dégradées : { $name }
headline-degraded-some = Performances dégradées : { $count } services sur { $total }
headline-degraded-all = Performances dégradées : les { $total } services
headline-starting = { $name } démarre
headline-starting-some = { $count } services sur { $total } démarrent
headline-starting-all = Les { $total } services démarrent
headline-maintenance = { $name } est en maintenance
headline-maintenance-some = { $count } services sur { $total } sont en maintenance
headline-maintenance-all = Les { $total } services sont en maintenance
headline-waiting = En attente de la première vérification
headline-interrupted = Surveillance interrompue : aucune donnée depuis { $time }
headline-no-data-some = { $count ->
    [one] { $count } service sur { $total } opérationnel
   *[other] { $count } services sur { $total } opérationnels
}, aucune donnée pour les autres
headline-unavailable = L’état est temporairement indisponible
headline-not-found = Page introuvable
not-found-help = Aucune page n’existe à cette adresse. Le service ou l’incident a peut-être été supprimé.

## The page of the owner

headline-owner = Canaux d’alerte
owner-help = Pour le propriétaire de cette page : chaque canal accepte-t-il les alertes ?
owner-needs-script = Cette page nécessite JavaScript. L’API donne la même chose : GET /api/v1/admin/channels.
owner-token = Jeton d’administration (ADMIN_TOKEN)
owner-show = Afficher
owner-refused = Le jeton est incorrect.
owner-channels = Canaux
owner-none = Aucun canal d’alerte n’est configuré.
owner-working = aucun échec
owner-failing = en échec
owner-refusing = refuse les alertes
owner-unusable = inutilisable
owner-since = depuis
owner-waiting = alertes en attente
owner-next = prochaine tentative
owner-test = Envoyer un message de test à chaque canal
owner-tested = message de test
owner-problems = Problèmes de configuration
status-page-link = Aller à la page d’état
since = depuis { $time }
since-for = Depuis { $time } ({ $duration }).
last-check = Dernière vérification : { $time }.
first-check = La première vérification aura lieu dans la minute.
history-unavailable = La surveillance continue. Rechargez la page dans un instant.
stale = L’état actuel est temporairement indisponible. Voici l’état d’il y a { $duration }.

## The status page

active-incidents = Incidents en cours
scheduled-maintenance = Maintenance planifiée
past-incidents = Incidents passés
services = Services
filter-services = Filtrer par nom
empty-title = Ajoutez votre premier service
empty-help = Ajoutez un service dans wrangler.toml et redéployez :
status = État
state-up = Opérationnel
state-degraded = Performances dégradées
state-down = Panne majeure
day-down = Panne
state-waking = Démarrage
state-maintenance = En maintenance
state-unobserved = Aucune donnée
bars-label = 90 derniers jours : { $good ->
    [one] { $good } jour
   *[other] { $good } jours
} sans incident, { $trouble } avec incident, { $unobserved } sans données
ninety-days-ago = Il y a 90 jours
today = Aujourd’hui
no-data = Aucune donnée
monitored = surveillé à { $percent }
monitored-since = surveillé à { $percent } depuis { $time }
uptime = Disponibilité
coverage = Surveillé
latency = Temps de réponse
memory = Mémoire
running-for = En marche depuis
of-limit = sur { $limit } Mo
restart-count = { $count ->
    [one] { $count } redémarrage
   *[other] { $count } redémarrages
}

## Incidents

severity-warning = Avertissement
severity-degraded = Performances dégradées
severity-crashed = Plantage
severity-down = Panne
investigating = En cours d’analyse
acknowledged = Pris en charge
resolved = Résolu
caused-by = causé par { $monitor }
evidence = Éléments de preuve
timeline = Chronologie
memory-around = Mémoire avant et pendant l’incident
incidents = Incidents
no-incidents = Aucun incident signalé.

## The page of a service

restart = Redémarrage
restarts-in-chart = Redémarrages sur ce graphique
probably = probablement { $exit }
last-exit = Dernier arrêt ({ $time }) : { $exit }
evidence-and = { $before } ; { $next }
sentence = { $text }.
exit-stop = arrêt demandé
exit-deploy = remplacement par une autre version
exit-recycle = remplacement par heapbeat
exit-oom-kill = mémoire épuisée : tuée par le noyau (OOM)
exit-out-of-memory = mémoire épuisée : arrêtée par son environnement d’exécution
exit-panic = panic
exit-crash = plantage
exit-hang = blocage, puis arrêt
exit-platform = disparition avec son hôte
exit-finish = terminée d’elle-même
exit-spin-down = mise en veille pour inactivité
exit-unknown = cause inconnue
forecast = La mémoire augmente de { $rate } Mo par heure et devrait atteindre sa limite { $time } (entre { $earliest } et { $latest }).
version-comparison = Au même âge, cette version utilise { $now } Mo et la précédente en utilisait { $before } ({ $age } après le démarrage).
top-route = L’essentiel de l’augmentation : { $route }.
requests = Requêtes
requests-now = En cours : { $now }, en attente : { $waiting }, échouées : { $failed }.
route = Route
mean-time = Durée moyenne
incident-days = Jours avec incident
days-table = Afficher tous les jours en tableau
day = Jour
time-range = Période
time-utc = Heure (UTC)
data-table = Afficher les données en tableau
rss = Résidente
heap-used = Tas utilisé
heap-used-note = retenu par le programme
heap-total = Tas total
heap-total-note = pages allouées pour cela
external = Externe
external-note = hors du tas
pressure = Pression mémoire
pressure-calm = normale
pressure-alert = élevée
pressure-purge = forte
pressure-recycle = très forte
pressure-shed = critique
memory-caption = Mémoire en Mo
minimum = Minimum
median = Médiane
percentile-95 = 95e centile
latency-caption = Temps de réponse en millisecondes
regions = État par région
region-wnam = Ouest de l’Amérique du Nord
region-enam = Est de l’Amérique du Nord
region-sam = Amérique du Sud
region-weur = Europe de l’Ouest
region-eeur = Europe de l’Est
region-apac = Asie-Pacifique
region-oc = Océanie
region-afr = Afrique
region-me = Moyen-Orient

## Why a check failed

statement-dns-failed = échec de la résolution DNS
statement-connection-refused = connexion refusée
statement-network-unreachable = réseau injoignable
statement-tls-failed = échec de la connexion TLS
statement-connect-timeout = délai de connexion dépassé
statement-response-timeout = délai de réponse dépassé
statement-body-timeout = délai dépassé avant la fin de la réponse
statement-connection-lost = connexion perdue avant la fin de la réponse
statement-not-http = la réponse n’est pas du HTTP
statement-redirect-loop = boucle de redirection
statement-too-many-redirects = trop de redirections
statement-invalid-redirect = redirection vers autre chose qu’une adresse http ou https
statement-private-address = adresse privée
statement-http-status = statut HTTP { $status }
statement-not-json = la réponse n’est pas du JSON
statement-not-health = la réponse est du JSON, mais pas un rapport de santé
statement-response-too-large = réponse trop volumineuse
statement-body-undecodable = la réponse est encodée en { $encoding } et ne peut pas être décodée
statement-body-encoding-unknown = l’encodage de la réponse ne peut pas être décodé
statement-body-charset-unknown = le jeu de caractères de la réponse ne peut pas être décodé
statement-response-slow = réponse en { $duration_ms } ms
statement-condition-failed = condition non remplie : { $condition }
statement-connection-failed = échec de la connexion
statement-signature-rejected = signature refusée par le serveur : mauvais secret, ou horloges décalées de plus de { $clock_tolerance_s } s
statement-response-unsigned = réponse non signée : elle vient d’un cache, ou pas du serveur
statement-response-signature-invalid = signature de la réponse invalide : réponse périmée ou modifiée, ou mauvais secret
statement-report-unreadable = rapport signé que cette version ne sait pas lire
statement-heartbeat-missed = pas de signal de vie dans le délai imparti
statement-job-timed-out = tâche non terminée dans le délai imparti
statement-job-failed = la tâche a signalé un échec
statement-job-exit-code = échec de la tâche avec le code de sortie { $exit_code }

## Why there is no data

statement-skipped-budget = non vérifié : limite de requêtes atteinte
statement-skipped-time = non vérifié : d’autres vérifications ont pris trop de temps
statement-skipped-platform = non vérifié : la vérification n’a pas pu s’exécuter
statement-skipped-edge = aucune donnée : surveillance interrompue, toutes les vérifications ont échoué en même temps
statement-skipped-no-heartbeat = aucun signal de vie reçu pour l’instant
statement-skipped-configuration = non vérifié : la vérification n’est pas entièrement configurée
statement-skipped-own-zone = non vérifié : Cloudflare a répondu aussitôt { $status } à la place de la cible, comme pour une zone du même compte
statement-skipped-forbidden = non vérifié : la plateforme ne laisse pas un Worker se connecter à cette adresse (de Cloudflare ou privée)
statement-no-recent-data = aucune donnée récente
statement-under-maintenance = maintenance planifiée en cours
statement-flapping = instable : l’état change sans cesse

## What caused an incident

statement-cause-unknown = cause inconnue
statement-memory-growing = la mémoire augmente vers sa limite
statement-memory-high = la mémoire est proche de sa limite
statement-out-of-memory = mémoire épuisée
statement-instance-stop = instance arrêtée sur demande
statement-instance-deploy = instance remplacée par une autre version
statement-instance-recycle = instance remplacée par heapbeat
statement-instance-oom-kill = instance à court de mémoire, tuée par le noyau (OOM)
statement-instance-out-of-memory = instance à court de mémoire, arrêtée par son environnement d’exécution
statement-instance-panic = panic de l’instance
statement-instance-crash = plantage de l’instance
statement-instance-hang = instance bloquée, puis arrêtée
statement-instance-platform = instance disparue avec son hôte
statement-instance-finish = instance terminée d’elle-même
statement-instance-spin-down = instance mise en veille pour inactivité
statement-instance-unknown = instance terminée pour une raison inconnue

## What happened during an incident

statement-instance-started = instance démarrée
statement-pressure-changed = pression mémoire passée de { $from_pressure } à { $to_pressure } à { $memory_bytes }
statement-purged = purge : mémoire de { $before_bytes } à { $after_bytes } en { $duration_ms } ms
statement-replacement-requested = le gardien a demandé un nouveau processus : { $reason }
statement-shut-down = le gardien a arrêté l’instance
statement-requests-rejected = { $count ->
    [one] { $count } requête rejetée
   *[other] { $count } requêtes rejetées
} en { $duration_s } s
statement-request-panicked = panic dans une requête : { $message }
statement-limit-changed = limite de mémoire passée de { $before_bytes } à { $after_bytes }
statement-function-growing = la mémoire retenue par { $function } a augmenté de { $growth_bytes } en { $duration_s } s
statement-unknown-event = événement d’une version plus récente de heapbeat
statement-stop-requested = arrêt demandé par { $by }
statement-recurred = le problème est réapparu
statement-recovered = toutes les vérifications réussissent à nouveau
statement-improved-to-degraded = amélioration : performances dégradées
statement-improved-to-warning = amélioration : toutes les vérifications réussissent, mais la mémoire s’épuise
statement-other-instance = une autre instance répond
statement-note = note : { $note }
statement-acknowledged = pris en charge
statement-resolved = résolu manuellement
statement-maintenance-began = début de la maintenance planifiée
statement-monitor-removed = service retiré de la configuration
statement-incident-superseded = poursuivi par un incident ultérieur
statement-job-rescheduled = la tâche est nouvelle ou a changé d’horaire, et n’a pas donné signe de vie depuis
statement-limit-forecast = la mémoire devrait atteindre { $limit_bytes } entre { $earliest } et { $latest }

## Evidence of how an instance exited

statement-exited-with-code = terminée avec le code de sortie { $exit_code }
statement-killed-by-signal = terminée par { $signal }
statement-memory-when-last-seen = mémoire à { $percent } % de la limite au dernier relevé
statement-unresponsive = aucun signe de vie, arrêtée pour cette raison
statement-panic-recorded = panic enregistrée : { $message }
statement-cgroup-oom-count = compteur OOM du groupe de contrôle augmenté de { $count }
statement-machine-oom-count = compteur OOM de la machine augmenté de { $count }
statement-stop-timed-out = arrêt trop long, processus tué
statement-killed-at-once = processus tué sans attendre son arrêt
statement-oom-count-unreadable = aucun compteur OOM lisible ici
statement-no-oom-kill = le noyau n’a compté aucun OOM
statement-requests-in-flight = requêtes en cours à la fin : { $requests }
statement-stop-recorded = demande d’arrêt enregistrée : { $by }
statement-stopped-early = demande d’arrêt avant de pouvoir l’enregistrer
statement-exit-unexplained = aucune demande d’arrêt connue
statement-exit-unobserved = aucun processus n’a observé la fin
statement-exit-completed = arrêt en bon ordre enregistré
statement-host-rebooted = l’hôte a redémarré depuis le dernier signe de vie
statement-host-not-rebooted = l’hôte est resté en marche
statement-supervisor-stop = le superviseur avait demandé l’arrêt
statement-supervisor-recycle = le superviseur avait demandé de céder la place à une nouvelle instance
statement-version-followed = suivie par la version { $version }
statement-version-changed = version { $from } suivie par { $to }
statement-guard-replaced = remplacée par le gardien : { $reason }
statement-guard-shut-down = arrêtée par le gardien faute de mémoire
statement-last-sample = dernier relevé : { $memory_bytes } sur { $limit_bytes }, pression mémoire { $pressure }
statement-no-stop-announced = aucun arrêt annoncé
statement-hang-report = dernier rapport avant le blocage : { $report }
statement-runtime-out-of-memory = message de l’environnement d’exécution : { $message }
statement-heap-after-last-collection = tas après la dernière collecte : { $heap_bytes }
statement-heap-when-last-seen = tas au dernier relevé : { $heap_bytes } ; l’environnement d’exécution abandonne à { $limit_bytes }
statement-heap-limited-by = tas limité par { $setting }
statement-live-memory-grew = sa mémoire utilisée a surtout augmenté dans { $function }
statement-process-oom-killed = le noyau a tué son processus { $pid } ({ $name }) faute de mémoire ; le programme lui-même continue
statement-process-out-of-memory = l'environnement d'exécution de son processus { $pid } ({ $name }) a manqué de mémoire et l'a arrêté ; le programme lui-même continue

## Notices about the monitoring itself

statement-monitoring-interrupted = Surveillance interrompue depuis { $since_time } : toutes les vérifications ont échoué en même temps, aucun résultat n’est enregistré.
statement-hub-unresponsive = Aucune donnée pour { $count ->
    [one] { $count } service
   *[other] { $count } services
} : le hub qui les surveille ne répond pas.
statement-unknown-hub-unresponsive = Aucune donnée pour certains services : le hub qui les surveille ne répond pas.
statement-unwatched-requests = Aucune donnée pour { $count ->
    [one] { $count } service
   *[other] { $count } services
} depuis { $since_time } : leurs vérifications demandent plus de requêtes qu’un passage n’en permet.
statement-unwatched-time = Aucune donnée pour { $count ->
    [one] { $count } service
   *[other] { $count } services
} depuis { $since_time } : d’autres vérifications prennent trop de temps.
statement-unwatched-configuration = Aucune donnée pour { $count ->
    [one] { $count } service
   *[other] { $count } services
} depuis { $since_time } : la vérification n’est pas entièrement configurée.
statement-unwatched-platform = Aucune donnée pour { $count ->
    [one] { $count } service
   *[other] { $count } services
} depuis { $since_time } : leurs vérifications n’ont pas pu s’exécuter.
statement-unwatched-no-tick = Aucune donnée pour { $count ->
    [one] { $count } service
   *[other] { $count } services
} depuis { $since_time } : les vérifications prévues n’ont pas eu lieu.
statement-interval-raised = Le quota quotidien est presque épuisé : jusqu’à minuit UTC, chaque service est vérifié au plus toutes les { $minutes } min.
