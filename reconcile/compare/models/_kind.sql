-- part: each side against its own baseline, then against the other; `classify` in compare/diff.py is the same in Python
CASE
    WHEN app IS NOT DISTINCT FROM ghl THEN 'converged'
    WHEN app IS NOT DISTINCT FROM base_app AND ghl IS NOT DISTINCT FROM base_ghl THEN 'standing'
    WHEN ghl IS NOT DISTINCT FROM base_ghl THEN 'app_moved'
    WHEN app IS NOT DISTINCT FROM base_app THEN 'ghl_moved'
    ELSE 'conflict'
END
