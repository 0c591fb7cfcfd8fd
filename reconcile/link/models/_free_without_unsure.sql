{% for side in ['app', 'ghl'] %}

DELETE FROM free_contact_{{ side }}
WHERE key IN (SELECT key FROM unsure_contact WHERE side = '{{ side }}');
{% endfor %}
