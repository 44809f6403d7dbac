{{/*
Prefix of the names of objects, and the name of the operator's own: the release's name, followed by the chart's unless that
is in it already.
*/}}
{{- define "posthaste.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of the ServiceAccount that the operator runs as. */}}
{{- define "posthaste.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "posthaste.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Name of the ClusterRole and the ClusterRoleBinding of delivery pods. */}}
{{- define "posthaste.reviewer" -}}
{{- include "posthaste.fullname" . }}-delivery-reviewer
{{- end -}}

{{/* Labels that never change: what selectors use. */}}
{{- define "posthaste.selectorLabels" -}}
app.kubernetes.io/name: posthaste
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object of this chart. */}}
{{- define "posthaste.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "posthaste.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: posthaste
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Reference to an image: (dict "image" <values> "chart" .Chart). */}}
{{- define "posthaste.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}
