{% for side in ['app', 'ghl'] %}

DELETE FROM free_{{ entity }}_{{ side }}
WHERE key IN (SELECT key FROM unsure_{{ entity }} WHERE side = '{{ side }}');
{% endfor %}
