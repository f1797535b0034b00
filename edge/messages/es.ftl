## Numbers and units

decimal-separator = ,
unit-s = s
unit-min = min
unit-h = h
unit-d = d

## Around every page

skip-link = Ir al contenido principal
feed-title = Incidentes y mantenimiento
calendar = Calendario
links = Enlaces
subscribe = Suscribirse a las actualizaciones
view-json = Ver como JSON
language = Idioma
theme-auto = Tema del sistema
theme-light = Tema claro
theme-dark = Tema oscuro
push-enable = Activar notificaciones
push-disable = Desactivar notificaciones
push-failed = Este navegador no admite notificaciones
push-enabled = Las notificaciones están activadas en este navegador
uptime-note = La disponibilidad es la parte del tiempo supervisado en que el servicio estuvo operativo o degradado. Excluye el tiempo sin datos; junto a cada valor consta la parte supervisada del periodo.

## The headline

headline-empty = No hay servicios configurados
headline-up = { $total ->
    [1] { $name } está operativo
   *[other] Todos los sistemas operativos
}
headline-down = { $name } está caído
headline-partial-outage = Interrupción parcial: { $count } de { $total } servicios caídos
headline-major-outage = Interrupción grave: los { $total } servicios están caídos
headline-degraded = Rendimiento degradado: { $name }
headline-degraded-some = Rendimiento degradado: { $count } de { $total } servicios
headline-degraded-all = Rendimiento degradado: los { $total } servicios
headline-starting = { $name } está iniciando
headline-starting-some = { $count } de { $total } servicios están iniciando
headline-starting-all = Los { $total } servicios están iniciando
headline-maintenance = { $name } está en mantenimiento
headline-maintenance-some = { $count } de { $total } servicios en mantenimiento
headline-maintenance-all = Los { $total } servicios están en mantenimiento
headline-waiting = A la espera de la primera comprobación
headline-interrupted = Supervisión interrumpida: sin datos desde { $time }
headline-no-data-some = { $count } de { $total } servicios operativos, sin datos de los demás
headline-unavailable = El estado no está disponible temporalmente
headline-not-found = Página no encontrada
not-found-help = No hay ninguna página en esta dirección. Es posible que el servicio o la incidencia se haya eliminado.

## The page of the owner

headline-owner = Canales de alerta
owner-help = Para el propietario de esta página: si cada canal acepta alertas.
owner-needs-script = Esta página necesita JavaScript. La API ofrece lo mismo: GET /api/v1/admin/channels.
owner-token = Token de administración (ADMIN_TOKEN)
owner-show = Mostrar
owner-refused = El token no es correcto.
owner-channels = Canales
owner-none = No hay canales de alerta configurados.
owner-working = sin fallos
owner-failing = falla
owner-refusing = rechaza alertas
owner-unusable = no se puede usar
owner-since = desde
owner-waiting = alertas en espera
owner-next = próximo intento
owner-test = Enviar un mensaje de prueba a cada canal
owner-tested = mensaje de prueba
owner-problems = Problemas de la configuración
status-page-link = Ir a la página de estado
since = desde { $time }
since-for = Desde { $time } ({ $duration }).
last-check = Última comprobación: { $time }.
first-check = La primera comprobación se hará en menos de un minuto.
history-unavailable = La supervisión continúa. Vuelva a cargar la página en un momento.
stale = El estado actual no está disponible temporalmente. Este es el estado de hace { $duration }.

## The status page

active-incidents = Incidentes activos
scheduled-maintenance = Mantenimiento programado
past-incidents = Incidentes anteriores
services = Servicios
filter-services = Filtrar por nombre
empty-title = Añada su primer servicio
empty-help = Añada un servicio en wrangler.toml y despliegue de nuevo:
status = Estado
state-up = Operativo
state-degraded = Rendimiento degradado
state-down = Interrupción grave
day-down = Interrupción
state-waking = Iniciando
state-maintenance = En mantenimiento
state-unobserved = Sin datos
bars-label = Últimos 90 días: { $good ->
    [one] { $good } día
   *[other] { $good } días
} sin incidentes, { $trouble } con incidentes, { $unobserved } sin datos
ninety-days-ago = Hace 90 días
today = Hoy
no-data = Sin datos
monitored = { $percent } supervisado
monitored-since = { $percent } supervisado desde { $time }
uptime = Disponibilidad
coverage = Supervisado
latency = Tiempo de respuesta
memory = Memoria
running-for = En marcha desde hace
of-limit = de { $limit } MB
restart-count = { $count ->
    [one] { $count } reinicio
   *[other] { $count } reinicios
}

## Incidents

severity-warning = Aviso
severity-degraded = Rendimiento degradado
severity-crashed = Fallo
severity-down = Interrupción
investigating = En investigación
acknowledged = Reconocido
resolved = Resuelto
caused-by = causado por { $monitor }
evidence = Evidencia
timeline = Cronología
memory-around = Memoria antes y durante el incidente
incidents = Incidentes
no-incidents = No se han registrado incidentes.

## The page of a service

restart = Reinicio
restarts-in-chart = Reinicios en este gráfico
probably = probablemente { $exit }
last-exit = Última salida ({ $time }): { $exit }
evidence-and = { $before }; { $next }
sentence = { $text }.
exit-stop = detenida a petición
exit-deploy = sustituida por otra versión
exit-recycle = sustituida por heapbeat
exit-oom-kill = sin memoria: terminada por el kernel (OOM)
exit-out-of-memory = sin memoria: terminada por su entorno de ejecución
exit-panic = panic
exit-crash = fallo
exit-hang = se bloqueó y fue detenida
exit-platform = desapareció con su host
exit-finish = terminada por sí misma
exit-spin-down = suspendida por inactividad
exit-unknown = causa desconocida
forecast = La memoria crece { $rate } MB por hora y se prevé que alcance su límite { $time } (entre { $earliest } y { $latest }).
version-comparison = A la misma edad, esta versión usa { $now } MB y la anterior usaba { $before } MB ({ $age } tras el arranque).
top-route = La mayor parte del crecimiento: { $route }.
requests = Solicitudes
requests-now = En curso: { $now }, en espera: { $waiting }, fallidas: { $failed }.
route = Ruta
mean-time = Tiempo medio
incident-days = Días con incidentes
days-table = Ver todos los días en una tabla
day = Día
time-range = Periodo
time-utc = Hora (UTC)
data-table = Ver los datos en una tabla
rss = Residente
heap-used = Heap usado
heap-used-note = retenido por el programa
heap-total = Heap total
heap-total-note = páginas asignadas para ello
external = Externa
external-note = fuera del heap
pressure = Presión de memoria
pressure-calm = normal
pressure-alert = elevada
pressure-purge = alta
pressure-recycle = muy alta
pressure-shed = crítica
memory-caption = Memoria en MB
minimum = Mínimo
median = Mediana
percentile-95 = Percentil 95
latency-caption = Tiempo de respuesta en milisegundos
regions = Estado por región
region-wnam = Oeste de Norteamérica
region-enam = Este de Norteamérica
region-sam = Sudamérica
region-weur = Europa Occidental
region-eeur = Europa Oriental
region-apac = Asia-Pacífico
region-oc = Oceanía
region-afr = África
region-me = Oriente Medio

## Why a check failed

statement-dns-failed = error en la resolución DNS
statement-connection-refused = conexión rechazada
statement-network-unreachable = red inaccesible
statement-tls-failed = error en la conexión TLS
statement-connect-timeout = tiempo de conexión agotado
statement-response-timeout = tiempo de espera de la respuesta agotado
statement-body-timeout = tiempo de espera agotado antes de completarse la respuesta
statement-connection-lost = conexión perdida antes de completar la respuesta
statement-not-http = la respuesta no es HTTP
statement-redirect-loop = bucle de redirecciones
statement-too-many-redirects = demasiadas redirecciones
statement-invalid-redirect = redirección a algo que no es una dirección http o https
statement-private-address = dirección privada
statement-http-status = estado HTTP { $status }
statement-not-json = la respuesta no es JSON
statement-not-health = la respuesta es JSON, pero no un informe de salud
statement-response-too-large = respuesta demasiado grande
statement-body-undecodable = la respuesta está codificada como { $encoding } y no se puede descodificar
statement-body-encoding-unknown = la codificación de la respuesta no se puede descodificar
statement-body-charset-unknown = el juego de caracteres de la respuesta no se puede descodificar
statement-response-slow = la respuesta tardó { $duration_ms } ms
statement-condition-failed = condición no cumplida: { $condition }
statement-connection-failed = error de conexión
statement-signature-rejected = firma rechazada por el servidor: secreto incorrecto, o relojes con más de { $clock_tolerance_s } s de diferencia
statement-response-unsigned = respuesta sin firmar: procede de una caché o no procede del servidor
statement-response-signature-invalid = firma de la respuesta no válida: respuesta antigua o modificada, o secreto incorrecto
statement-report-unreadable = informe firmado que esta versión no puede leer
statement-heartbeat-missed = sin señal de vida a tiempo
statement-job-timed-out = tarea no terminada a tiempo
statement-job-failed = la tarea informó de un error
statement-job-exit-code = la tarea falló con el código de salida { $exit_code }

## Why there is no data

statement-skipped-budget = no comprobado: límite de peticiones alcanzado
statement-skipped-time = no comprobado: otras comprobaciones tardaron demasiado
statement-skipped-platform = no comprobado: la comprobación no pudo ejecutarse
statement-skipped-edge = sin datos: supervisión interrumpida, todas las comprobaciones fallaron a la vez
statement-skipped-no-heartbeat = aún no se ha recibido ninguna señal de vida
statement-skipped-configuration = no comprobado: la comprobación no está configurada por completo
statement-skipped-own-zone = no comprobado: Cloudflare respondió de inmediato con { $status } en lugar del destino, como con una zona de la misma cuenta
statement-skipped-forbidden = no comprobado: la plataforma no permite que un Worker se conecte a esta dirección (propia de Cloudflare o privada)
statement-no-recent-data = sin datos recientes
statement-under-maintenance = mantenimiento programado en curso
statement-flapping = inestable: el estado cambia una y otra vez

## What caused an incident

statement-cause-unknown = causa desconocida
statement-memory-growing = la memoria crece hacia su límite
statement-memory-high = la memoria está cerca de su límite
statement-out-of-memory = memoria agotada
statement-instance-stop = instancia detenida a petición
statement-instance-deploy = instancia sustituida por otra versión
statement-instance-recycle = instancia sustituida por heapbeat
statement-instance-oom-kill = instancia sin memoria, terminada por el kernel (OOM)
statement-instance-out-of-memory = instancia sin memoria, terminada por su entorno de ejecución
statement-instance-panic = panic de la instancia
statement-instance-crash = fallo de la instancia
statement-instance-hang = instancia bloqueada y detenida
statement-instance-platform = instancia desaparecida con su host
statement-instance-finish = instancia terminada por sí misma
statement-instance-spin-down = instancia suspendida por inactividad
statement-instance-unknown = instancia terminada por un motivo desconocido

## What happened during an incident

statement-instance-started = instancia iniciada
statement-pressure-changed = presión de memoria de { $from_pressure } a { $to_pressure } con { $memory_bytes }
statement-purged = la purga redujo la memoria de { $before_bytes } a { $after_bytes } en { $duration_ms } ms
statement-replacement-requested = el guardián pidió un nuevo proceso: { $reason }
statement-shut-down = el guardián detuvo la instancia
statement-requests-rejected = { $count ->
    [one] { $count } petición rechazada
   *[other] { $count } peticiones rechazadas
} en { $duration_s } s
statement-request-panicked = panic en una petición: { $message }
statement-limit-changed = límite de memoria cambiado de { $before_bytes } a { $after_bytes }
statement-function-growing = la memoria retenida por { $function } creció { $growth_bytes } en { $duration_s } s
statement-unknown-event = evento de una versión más reciente de heapbeat
statement-stop-requested = detención solicitada por { $by }
statement-recurred = el problema reapareció
statement-recovered = todas las comprobaciones vuelven a ser correctas
statement-improved-to-degraded = mejoría: rendimiento degradado
statement-improved-to-warning = mejoría: todas las comprobaciones son correctas, pero la memoria se agota
statement-other-instance = responde otra instancia
statement-note = nota: { $note }
statement-acknowledged = reconocido
statement-resolved = resuelto manualmente
statement-maintenance-began = comenzó el mantenimiento programado
statement-monitor-removed = servicio eliminado de la configuración
statement-incident-superseded = continúa en una incidencia posterior
statement-job-rescheduled = la tarea es nueva o tiene otro horario, y no ha dado señales desde entonces
statement-limit-forecast = se prevé que la memoria alcance { $limit_bytes } entre { $earliest } y { $latest }

## Evidence of how an instance exited

statement-exited-with-code = terminó con el código de salida { $exit_code }
statement-killed-by-signal = terminada por { $signal }
statement-memory-when-last-seen = memoria al { $percent } % del límite en la última medición
statement-unresponsive = sin señales de vida, detenida por ello
statement-panic-recorded = panic registrado: { $message }
statement-cgroup-oom-count = el contador OOM de su grupo de control subió en { $count }
statement-machine-oom-count = el contador OOM de la máquina subió en { $count }
statement-stop-timed-out = no se detuvo a tiempo y fue terminada
statement-killed-at-once = fue terminada sin esperar a que se detuviera
statement-oom-count-unreadable = aquí no se puede leer ningún contador OOM
statement-no-oom-kill = el kernel no contó ningún OOM
statement-requests-in-flight = solicitudes en curso al terminar: { $requests }
statement-stop-recorded = solicitud de detención registrada: { $by }
statement-stopped-early = solicitud de detención antes de poder registrarla
statement-exit-unexplained = no se conoce ninguna solicitud de detención
statement-exit-unobserved = ningún proceso observó el final
statement-exit-completed = detención ordenada registrada
statement-host-rebooted = el host se reinició desde la última señal de vida
statement-host-not-rebooted = el host estuvo en marcha todo el tiempo
statement-supervisor-stop = el supervisor había solicitado la detención
statement-supervisor-recycle = el supervisor había solicitado dejar paso a una nueva instancia
statement-version-followed = la siguió la versión { $version }
statement-version-changed = a la versión { $from } la siguió { $to }
statement-guard-replaced = sustituida por el guardián: { $reason }
statement-guard-shut-down = detenida por el guardián por falta de memoria
statement-last-sample = última medición: { $memory_bytes } de { $limit_bytes }, presión de memoria { $pressure }
statement-no-stop-announced = no anunció ninguna detención
statement-hang-report = último informe antes del bloqueo: { $report }
statement-runtime-out-of-memory = mensaje del entorno de ejecución: { $message }
statement-heap-after-last-collection = heap tras la última recolección: { $heap_bytes }
statement-heap-when-last-seen = heap en la última muestra: { $heap_bytes }; el entorno de ejecución se rinde con { $limit_bytes }
statement-heap-limited-by = heap limitado por { $setting }
statement-live-memory-grew = su memoria en uso creció sobre todo en { $function }
statement-process-oom-killed = el kernel terminó su proceso { $pid } ({ $name }) por falta de memoria; el programa sigue en ejecución
statement-process-out-of-memory = el entorno de ejecución de su proceso { $pid } ({ $name }) se quedó sin memoria y lo terminó; el programa sigue en ejecución

## Notices about the monitoring itself

statement-monitoring-interrupted = Supervisión interrumpida desde { $since_time }: todas las comprobaciones fallaron a la vez y no se registran resultados.
statement-hub-unresponsive = Sin datos de { $count ->
    [one] { $count } servicio
   *[other] { $count } servicios
}: el hub que los supervisa no responde.
statement-unknown-hub-unresponsive = Sin datos de algunos servicios: el hub que los supervisa no responde.
statement-unwatched-requests = Sin datos de { $count ->
    [one] { $count } servicio
   *[other] { $count } servicios
} desde { $since_time }: sus comprobaciones necesitan más peticiones de las que permite una ronda.
statement-unwatched-time = Sin datos de { $count ->
    [one] { $count } servicio
   *[other] { $count } servicios
} desde { $since_time }: otras comprobaciones tardan demasiado.
statement-unwatched-configuration = Sin datos de { $count ->
    [one] { $count } servicio
   *[other] { $count } servicios
} desde { $since_time }: la comprobación no está configurada por completo.
statement-unwatched-platform = Sin datos de { $count ->
    [one] { $count } servicio
   *[other] { $count } servicios
} desde { $since_time }: sus comprobaciones no pudieron ejecutarse.
statement-unwatched-no-tick = Sin datos de { $count ->
    [one] { $count } servicio
   *[other] { $count } servicios
} desde { $since_time }: las comprobaciones programadas no se ejecutaron.
statement-interval-raised = La cuota diaria está casi agotada: hasta la medianoche UTC, cada servicio se comprueba como máximo cada { $minutes } min.
