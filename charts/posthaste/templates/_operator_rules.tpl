{{/*
What the operator may do in the namespaces that it serves: rules of a ClusterRole, or of a Role in each namespace of
watchNamespaces.

Kubernetes lets nobody grant what they lack, so the operator also holds what it grants: to delivery pods (their
configuration Secrets, the status of their resources, access reviews) and to publishers (posting events).

It deletes only what can become superfluous while its Webhook lives: Secrets, inline endpoints and NetworkPolicies. The other
children go with their Webhook by garbage collection. No rule for the subresource finalizers: owner references do not set
blockOwnerDeletion, which is all that OwnerReferencesPermissionEnforcement (OpenShift) asks it for.
*/}}
{{- define "posthaste.operatorRules" -}}
# What people ask for.
- apiGroups: [posthaste.dev]
  resources: [webhooks, webhookendpoints]
  verbs: [get, list, watch]
# Endpoints written in spec.endpoints of a Webhook become resources of their own.
- apiGroups: [posthaste.dev]
  resources: [webhookendpoints]
  verbs: [create, patch, delete]
# Reports what became of them; granted to delivery pods, which report deliveries.
- apiGroups: [posthaste.dev]
  resources: [webhooks/status, webhookendpoints/status]
  verbs: [patch]
# Granted by the Role <webhook>-publisher: posting events. The operator itself posts none.
- apiGroups: [posthaste.dev]
  resources: [webhooks/events]
  verbs: [create]
# Granted by the Roles <webhook>-deliveries-reader and <webhook>-deliveries-operator. The operator itself looks at none.
- apiGroups: [posthaste.dev]
  resources: [webhooks/deliveries]
  verbs: [get, create]
# Secrets that endpoints refer to, and the Secrets that the operator makes: generated signing keys, and the configuration of
# delivery pods, of which it deletes what holds nothing any more. It watches metadata only and gets what is referred to. Get,
# list and watch of a Webhook's configuration Secrets are granted to its delivery pod.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# Services that endpoints refer to. Children of a Webhook: whom its delivery pod runs as, the Service that events are posted
# to, the journal's volume.
- apiGroups: [""]
  resources: [serviceaccounts, services, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
# Children of a Webhook: the delivery pod.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
# Children of a Webhook: who may reach the delivery pod. Deleted when delivery.networkPolicy.enabled becomes false.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Children of a Webhook: the rights of the delivery pod and of publishers.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch]
# Granted to delivery pods, which ask whether a publisher may post. The operator itself asks nothing.
- apiGroups: [authorization.k8s.io]
  resources: [localsubjectaccessreviews]
  verbs: [create]
# Tells people what they should act on.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
