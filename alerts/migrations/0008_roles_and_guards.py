from django.db import migrations

from alerts import guards

# Roles besides those of 0003. An observer reads the desk and changes nothing; every officer may read.
ROLES = {
    "observer": [],
    "drill leader": [("alerts", "draft", "lead_drill", "Can start a drill")],
}


def make_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for role, permissions in ROLES.items():
        group, _made = Group.objects.get_or_create(name=role)
        for app, model, codename, name in permissions:
            kind, _made = ContentType.objects.get_or_create(app_label=app, model=model)
            permission, _made = Permission.objects.get_or_create(
                codename=codename, content_type=kind, defaults={"name": name}
            )
            group.permissions.add(permission)


def install(apps, schema_editor):
    guards.install(schema_editor.connection, [apps.get_model("alerts", "TemplateVersion")])


class Migration(migrations.Migration):
    dependencies = [("alerts", "0007_duty"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.RunPython(make_roles, migrations.RunPython.noop),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
